/* netron/foreach.h - the preprocessor's share of a contract: walk a list, pick by a property of it.
 *
 * Lists are walked by plain chains, not by deferred recursion: that is what keeps 500 methods in a
 * fraction of a second and the compiler's "in expansion of macro" notes few. Every list is passed
 * with a head that is skipped, because ISO C11 has no empty variable argument.
 */
#ifndef NETRON_FOREACH_H
#define NETRON_FOREACH_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#define NT_CAT(a, b)  NT_CAT_(a, b)
#define NT_CAT_(a, b) a##b

/* m(args...) with the arguments expanded first. */
#define NT_APPLY(m, ...) m(__VA_ARGS__)

#define NT_FIRST(...)     NT_FIRST_(__VA_ARGS__, ~)
#define NT_FIRST_(x, ...) x

/* Of (a), (a, b), (a, b, c): how many there are. */
#define NT_FEW(...)              NT_FEW_(__VA_ARGS__, 3, 2, 1, ~)
#define NT_FEW_(a, b, c, n, ...) n
#define NT_FEW_CAT(name, count)  NT_FEW_CAT_(name, count)
#define NT_FEW_CAT_(name, count) name##count

/* NT_RESULT(what, type) is what_NONE(type) for the result type "none", else what_SOME(type). */
#define NT_NONE_none                ~, ~
#define NT_RESULT(what, T)          NT_RESULT_(NT_NONE_##T, what##_NONE, what##_SOME, ~)(T)
#define NT_RESULT_(...)             NT_RESULT_3RD(__VA_ARGS__)
#define NT_RESULT_3RD(a, b, c, ...) c

/* How many arguments follow the head: 0 to 128. */
#define NT_TAIL_COUNT(...) NT_TAIL_COUNT_(__VA_ARGS__, \
    128, 127, 126, 125, 124, 123, 122, 121, 120, 119, 118, 117, 116, 115, 114, 113, \
    112, 111, 110, 109, 108, 107, 106, 105, 104, 103, 102, 101, 100, 99, 98, 97, \
    96, 95, 94, 93, 92, 91, 90, 89, 88, 87, 86, 85, 84, 83, 82, 81, \
    80, 79, 78, 77, 76, 75, 74, 73, 72, 71, 70, 69, 68, 67, 66, 65, \
    64, 63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, \
    48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, \
    32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, \
    16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, \
    0, ~)
#define NT_TAIL_COUNT_( \
    _1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, _17, _18, _19, _20, \
    _21, _22, _23, _24, _25, _26, _27, _28, _29, _30, _31, _32, _33, _34, _35, _36, _37, _38, \
    _39, _40, _41, _42, _43, _44, _45, _46, _47, _48, _49, _50, _51, _52, _53, _54, _55, _56, \
    _57, _58, _59, _60, _61, _62, _63, _64, _65, _66, _67, _68, _69, _70, _71, _72, _73, _74, \
    _75, _76, _77, _78, _79, _80, _81, _82, _83, _84, _85, _86, _87, _88, _89, _90, _91, _92, \
    _93, _94, _95, _96, _97, _98, _99, _100, _101, _102, _103, _104, _105, _106, _107, _108, \
    _109, _110, _111, _112, _113, _114, _115, _116, _117, _118, _119, _120, _121, _122, _123, \
    _124, _125, _126, _127, _128, _129, n, ...) n

/* NT_EACH(m, k, head, x, y, ...) is m(k, x) m(k, y) ... */
#define NT_EACH(m, k, ...) \
    NT_EACH_CAT(NT_EACH_, NT_TAIL_COUNT(__VA_ARGS__))(m, k, __VA_ARGS__)
#define NT_EACH_CAT(name, count)  NT_EACH_CAT_(name, count)
#define NT_EACH_CAT_(name, count) name##count
#define NT_EACH_0(m, k, h)
#define NT_EACH_1(m, k, h, x) m(k, x)
#define NT_EACH_2(m, k, h, x, ...) m(k, x) NT_EACH_1(m, k, h, __VA_ARGS__)
#define NT_EACH_3(m, k, h, x, ...) m(k, x) NT_EACH_2(m, k, h, __VA_ARGS__)
#define NT_EACH_4(m, k, h, x, ...) m(k, x) NT_EACH_3(m, k, h, __VA_ARGS__)
#define NT_EACH_5(m, k, h, x, ...) m(k, x) NT_EACH_4(m, k, h, __VA_ARGS__)
#define NT_EACH_6(m, k, h, x, ...) m(k, x) NT_EACH_5(m, k, h, __VA_ARGS__)
#define NT_EACH_7(m, k, h, x, ...) m(k, x) NT_EACH_6(m, k, h, __VA_ARGS__)
#define NT_EACH_8(m, k, h, x, ...) m(k, x) NT_EACH_7(m, k, h, __VA_ARGS__)
#define NT_EACH_9(m, k, h, x, ...) m(k, x) NT_EACH_8(m, k, h, __VA_ARGS__)
#define NT_EACH_10(m, k, h, x, ...) m(k, x) NT_EACH_9(m, k, h, __VA_ARGS__)
#define NT_EACH_11(m, k, h, x, ...) m(k, x) NT_EACH_10(m, k, h, __VA_ARGS__)
#define NT_EACH_12(m, k, h, x, ...) m(k, x) NT_EACH_11(m, k, h, __VA_ARGS__)
#define NT_EACH_13(m, k, h, x, ...) m(k, x) NT_EACH_12(m, k, h, __VA_ARGS__)
#define NT_EACH_14(m, k, h, x, ...) m(k, x) NT_EACH_13(m, k, h, __VA_ARGS__)
#define NT_EACH_15(m, k, h, x, ...) m(k, x) NT_EACH_14(m, k, h, __VA_ARGS__)
#define NT_EACH_16(m, k, h, x, ...) m(k, x) NT_EACH_15(m, k, h, __VA_ARGS__)
#define NT_EACH_17(m, k, h, x, ...) m(k, x) NT_EACH_16(m, k, h, __VA_ARGS__)
#define NT_EACH_18(m, k, h, x, ...) m(k, x) NT_EACH_17(m, k, h, __VA_ARGS__)
#define NT_EACH_19(m, k, h, x, ...) m(k, x) NT_EACH_18(m, k, h, __VA_ARGS__)
#define NT_EACH_20(m, k, h, x, ...) m(k, x) NT_EACH_19(m, k, h, __VA_ARGS__)
#define NT_EACH_21(m, k, h, x, ...) m(k, x) NT_EACH_20(m, k, h, __VA_ARGS__)
#define NT_EACH_22(m, k, h, x, ...) m(k, x) NT_EACH_21(m, k, h, __VA_ARGS__)
#define NT_EACH_23(m, k, h, x, ...) m(k, x) NT_EACH_22(m, k, h, __VA_ARGS__)
#define NT_EACH_24(m, k, h, x, ...) m(k, x) NT_EACH_23(m, k, h, __VA_ARGS__)
#define NT_EACH_25(m, k, h, x, ...) m(k, x) NT_EACH_24(m, k, h, __VA_ARGS__)
#define NT_EACH_26(m, k, h, x, ...) m(k, x) NT_EACH_25(m, k, h, __VA_ARGS__)
#define NT_EACH_27(m, k, h, x, ...) m(k, x) NT_EACH_26(m, k, h, __VA_ARGS__)
#define NT_EACH_28(m, k, h, x, ...) m(k, x) NT_EACH_27(m, k, h, __VA_ARGS__)
#define NT_EACH_29(m, k, h, x, ...) m(k, x) NT_EACH_28(m, k, h, __VA_ARGS__)
#define NT_EACH_30(m, k, h, x, ...) m(k, x) NT_EACH_29(m, k, h, __VA_ARGS__)
#define NT_EACH_31(m, k, h, x, ...) m(k, x) NT_EACH_30(m, k, h, __VA_ARGS__)
#define NT_EACH_32(m, k, h, x, ...) m(k, x) NT_EACH_31(m, k, h, __VA_ARGS__)
#define NT_EACH_33(m, k, h, x, ...) m(k, x) NT_EACH_32(m, k, h, __VA_ARGS__)
#define NT_EACH_34(m, k, h, x, ...) m(k, x) NT_EACH_33(m, k, h, __VA_ARGS__)
#define NT_EACH_35(m, k, h, x, ...) m(k, x) NT_EACH_34(m, k, h, __VA_ARGS__)
#define NT_EACH_36(m, k, h, x, ...) m(k, x) NT_EACH_35(m, k, h, __VA_ARGS__)
#define NT_EACH_37(m, k, h, x, ...) m(k, x) NT_EACH_36(m, k, h, __VA_ARGS__)
#define NT_EACH_38(m, k, h, x, ...) m(k, x) NT_EACH_37(m, k, h, __VA_ARGS__)
#define NT_EACH_39(m, k, h, x, ...) m(k, x) NT_EACH_38(m, k, h, __VA_ARGS__)
#define NT_EACH_40(m, k, h, x, ...) m(k, x) NT_EACH_39(m, k, h, __VA_ARGS__)
#define NT_EACH_41(m, k, h, x, ...) m(k, x) NT_EACH_40(m, k, h, __VA_ARGS__)
#define NT_EACH_42(m, k, h, x, ...) m(k, x) NT_EACH_41(m, k, h, __VA_ARGS__)
#define NT_EACH_43(m, k, h, x, ...) m(k, x) NT_EACH_42(m, k, h, __VA_ARGS__)
#define NT_EACH_44(m, k, h, x, ...) m(k, x) NT_EACH_43(m, k, h, __VA_ARGS__)
#define NT_EACH_45(m, k, h, x, ...) m(k, x) NT_EACH_44(m, k, h, __VA_ARGS__)
#define NT_EACH_46(m, k, h, x, ...) m(k, x) NT_EACH_45(m, k, h, __VA_ARGS__)
#define NT_EACH_47(m, k, h, x, ...) m(k, x) NT_EACH_46(m, k, h, __VA_ARGS__)
#define NT_EACH_48(m, k, h, x, ...) m(k, x) NT_EACH_47(m, k, h, __VA_ARGS__)
#define NT_EACH_49(m, k, h, x, ...) m(k, x) NT_EACH_48(m, k, h, __VA_ARGS__)
#define NT_EACH_50(m, k, h, x, ...) m(k, x) NT_EACH_49(m, k, h, __VA_ARGS__)
#define NT_EACH_51(m, k, h, x, ...) m(k, x) NT_EACH_50(m, k, h, __VA_ARGS__)
#define NT_EACH_52(m, k, h, x, ...) m(k, x) NT_EACH_51(m, k, h, __VA_ARGS__)
#define NT_EACH_53(m, k, h, x, ...) m(k, x) NT_EACH_52(m, k, h, __VA_ARGS__)
#define NT_EACH_54(m, k, h, x, ...) m(k, x) NT_EACH_53(m, k, h, __VA_ARGS__)
#define NT_EACH_55(m, k, h, x, ...) m(k, x) NT_EACH_54(m, k, h, __VA_ARGS__)
#define NT_EACH_56(m, k, h, x, ...) m(k, x) NT_EACH_55(m, k, h, __VA_ARGS__)
#define NT_EACH_57(m, k, h, x, ...) m(k, x) NT_EACH_56(m, k, h, __VA_ARGS__)
#define NT_EACH_58(m, k, h, x, ...) m(k, x) NT_EACH_57(m, k, h, __VA_ARGS__)
#define NT_EACH_59(m, k, h, x, ...) m(k, x) NT_EACH_58(m, k, h, __VA_ARGS__)
#define NT_EACH_60(m, k, h, x, ...) m(k, x) NT_EACH_59(m, k, h, __VA_ARGS__)
#define NT_EACH_61(m, k, h, x, ...) m(k, x) NT_EACH_60(m, k, h, __VA_ARGS__)
#define NT_EACH_62(m, k, h, x, ...) m(k, x) NT_EACH_61(m, k, h, __VA_ARGS__)
#define NT_EACH_63(m, k, h, x, ...) m(k, x) NT_EACH_62(m, k, h, __VA_ARGS__)
#define NT_EACH_64(m, k, h, x, ...) m(k, x) NT_EACH_63(m, k, h, __VA_ARGS__)
#define NT_EACH_65(m, k, h, x, ...) m(k, x) NT_EACH_64(m, k, h, __VA_ARGS__)
#define NT_EACH_66(m, k, h, x, ...) m(k, x) NT_EACH_65(m, k, h, __VA_ARGS__)
#define NT_EACH_67(m, k, h, x, ...) m(k, x) NT_EACH_66(m, k, h, __VA_ARGS__)
#define NT_EACH_68(m, k, h, x, ...) m(k, x) NT_EACH_67(m, k, h, __VA_ARGS__)
#define NT_EACH_69(m, k, h, x, ...) m(k, x) NT_EACH_68(m, k, h, __VA_ARGS__)
#define NT_EACH_70(m, k, h, x, ...) m(k, x) NT_EACH_69(m, k, h, __VA_ARGS__)
#define NT_EACH_71(m, k, h, x, ...) m(k, x) NT_EACH_70(m, k, h, __VA_ARGS__)
#define NT_EACH_72(m, k, h, x, ...) m(k, x) NT_EACH_71(m, k, h, __VA_ARGS__)
#define NT_EACH_73(m, k, h, x, ...) m(k, x) NT_EACH_72(m, k, h, __VA_ARGS__)
#define NT_EACH_74(m, k, h, x, ...) m(k, x) NT_EACH_73(m, k, h, __VA_ARGS__)
#define NT_EACH_75(m, k, h, x, ...) m(k, x) NT_EACH_74(m, k, h, __VA_ARGS__)
#define NT_EACH_76(m, k, h, x, ...) m(k, x) NT_EACH_75(m, k, h, __VA_ARGS__)
#define NT_EACH_77(m, k, h, x, ...) m(k, x) NT_EACH_76(m, k, h, __VA_ARGS__)
#define NT_EACH_78(m, k, h, x, ...) m(k, x) NT_EACH_77(m, k, h, __VA_ARGS__)
#define NT_EACH_79(m, k, h, x, ...) m(k, x) NT_EACH_78(m, k, h, __VA_ARGS__)
#define NT_EACH_80(m, k, h, x, ...) m(k, x) NT_EACH_79(m, k, h, __VA_ARGS__)
#define NT_EACH_81(m, k, h, x, ...) m(k, x) NT_EACH_80(m, k, h, __VA_ARGS__)
#define NT_EACH_82(m, k, h, x, ...) m(k, x) NT_EACH_81(m, k, h, __VA_ARGS__)
#define NT_EACH_83(m, k, h, x, ...) m(k, x) NT_EACH_82(m, k, h, __VA_ARGS__)
#define NT_EACH_84(m, k, h, x, ...) m(k, x) NT_EACH_83(m, k, h, __VA_ARGS__)
#define NT_EACH_85(m, k, h, x, ...) m(k, x) NT_EACH_84(m, k, h, __VA_ARGS__)
#define NT_EACH_86(m, k, h, x, ...) m(k, x) NT_EACH_85(m, k, h, __VA_ARGS__)
#define NT_EACH_87(m, k, h, x, ...) m(k, x) NT_EACH_86(m, k, h, __VA_ARGS__)
#define NT_EACH_88(m, k, h, x, ...) m(k, x) NT_EACH_87(m, k, h, __VA_ARGS__)
#define NT_EACH_89(m, k, h, x, ...) m(k, x) NT_EACH_88(m, k, h, __VA_ARGS__)
#define NT_EACH_90(m, k, h, x, ...) m(k, x) NT_EACH_89(m, k, h, __VA_ARGS__)
#define NT_EACH_91(m, k, h, x, ...) m(k, x) NT_EACH_90(m, k, h, __VA_ARGS__)
#define NT_EACH_92(m, k, h, x, ...) m(k, x) NT_EACH_91(m, k, h, __VA_ARGS__)
#define NT_EACH_93(m, k, h, x, ...) m(k, x) NT_EACH_92(m, k, h, __VA_ARGS__)
#define NT_EACH_94(m, k, h, x, ...) m(k, x) NT_EACH_93(m, k, h, __VA_ARGS__)
#define NT_EACH_95(m, k, h, x, ...) m(k, x) NT_EACH_94(m, k, h, __VA_ARGS__)
#define NT_EACH_96(m, k, h, x, ...) m(k, x) NT_EACH_95(m, k, h, __VA_ARGS__)
#define NT_EACH_97(m, k, h, x, ...) m(k, x) NT_EACH_96(m, k, h, __VA_ARGS__)
#define NT_EACH_98(m, k, h, x, ...) m(k, x) NT_EACH_97(m, k, h, __VA_ARGS__)
#define NT_EACH_99(m, k, h, x, ...) m(k, x) NT_EACH_98(m, k, h, __VA_ARGS__)
#define NT_EACH_100(m, k, h, x, ...) m(k, x) NT_EACH_99(m, k, h, __VA_ARGS__)
#define NT_EACH_101(m, k, h, x, ...) m(k, x) NT_EACH_100(m, k, h, __VA_ARGS__)
#define NT_EACH_102(m, k, h, x, ...) m(k, x) NT_EACH_101(m, k, h, __VA_ARGS__)
#define NT_EACH_103(m, k, h, x, ...) m(k, x) NT_EACH_102(m, k, h, __VA_ARGS__)
#define NT_EACH_104(m, k, h, x, ...) m(k, x) NT_EACH_103(m, k, h, __VA_ARGS__)
#define NT_EACH_105(m, k, h, x, ...) m(k, x) NT_EACH_104(m, k, h, __VA_ARGS__)
#define NT_EACH_106(m, k, h, x, ...) m(k, x) NT_EACH_105(m, k, h, __VA_ARGS__)
#define NT_EACH_107(m, k, h, x, ...) m(k, x) NT_EACH_106(m, k, h, __VA_ARGS__)
#define NT_EACH_108(m, k, h, x, ...) m(k, x) NT_EACH_107(m, k, h, __VA_ARGS__)
#define NT_EACH_109(m, k, h, x, ...) m(k, x) NT_EACH_108(m, k, h, __VA_ARGS__)
#define NT_EACH_110(m, k, h, x, ...) m(k, x) NT_EACH_109(m, k, h, __VA_ARGS__)
#define NT_EACH_111(m, k, h, x, ...) m(k, x) NT_EACH_110(m, k, h, __VA_ARGS__)
#define NT_EACH_112(m, k, h, x, ...) m(k, x) NT_EACH_111(m, k, h, __VA_ARGS__)
#define NT_EACH_113(m, k, h, x, ...) m(k, x) NT_EACH_112(m, k, h, __VA_ARGS__)
#define NT_EACH_114(m, k, h, x, ...) m(k, x) NT_EACH_113(m, k, h, __VA_ARGS__)
#define NT_EACH_115(m, k, h, x, ...) m(k, x) NT_EACH_114(m, k, h, __VA_ARGS__)
#define NT_EACH_116(m, k, h, x, ...) m(k, x) NT_EACH_115(m, k, h, __VA_ARGS__)
#define NT_EACH_117(m, k, h, x, ...) m(k, x) NT_EACH_116(m, k, h, __VA_ARGS__)
#define NT_EACH_118(m, k, h, x, ...) m(k, x) NT_EACH_117(m, k, h, __VA_ARGS__)
#define NT_EACH_119(m, k, h, x, ...) m(k, x) NT_EACH_118(m, k, h, __VA_ARGS__)
#define NT_EACH_120(m, k, h, x, ...) m(k, x) NT_EACH_119(m, k, h, __VA_ARGS__)
#define NT_EACH_121(m, k, h, x, ...) m(k, x) NT_EACH_120(m, k, h, __VA_ARGS__)
#define NT_EACH_122(m, k, h, x, ...) m(k, x) NT_EACH_121(m, k, h, __VA_ARGS__)
#define NT_EACH_123(m, k, h, x, ...) m(k, x) NT_EACH_122(m, k, h, __VA_ARGS__)
#define NT_EACH_124(m, k, h, x, ...) m(k, x) NT_EACH_123(m, k, h, __VA_ARGS__)
#define NT_EACH_125(m, k, h, x, ...) m(k, x) NT_EACH_124(m, k, h, __VA_ARGS__)
#define NT_EACH_126(m, k, h, x, ...) m(k, x) NT_EACH_125(m, k, h, __VA_ARGS__)
#define NT_EACH_127(m, k, h, x, ...) m(k, x) NT_EACH_126(m, k, h, __VA_ARGS__)
#define NT_EACH_128(m, k, h, x, ...) m(k, x) NT_EACH_127(m, k, h, __VA_ARGS__)

#endif
