# nt_sources(), nt_test(), nt_fuzz(): how each folder's CMakeLists.txt says what is in it.

# Everything in src/ is compiled once. libnetron.so takes the objects and exports netron_* only;
# netron_testing takes the same objects and lets unit tests reach every nt_* function.
add_library(netron_flags_all INTERFACE)
target_link_libraries(netron_flags_all INTERFACE netron_flags)
# NETRON_CHECK_HEADERS: to users the public headers are system headers; here their warnings count.
target_compile_definitions(netron_flags_all INTERFACE NETRON_CHECK_HEADERS
    $<$<PLATFORM_ID:Linux>:_GNU_SOURCE> $<$<PLATFORM_ID:Darwin>:_DARWIN_C_SOURCE>)

# nt_list(FILE...): these files of this folder are in its CMakeLists.txt; see nt_unlisted().
function(nt_list)
    list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
    set_property(DIRECTORY APPEND PROPERTY NT_LISTED ${ARGN})
endfunction()

# nt_sources(FILE...): the library's sources in this folder.
function(nt_sources)
    nt_list(${ARGN})
    list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
    target_sources(netron_objects PRIVATE ${ARGN})
endfunction()

# nt_program(<target> FILE... LIBS lib...): a program of the project's own, with its warnings.
function(nt_program target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBS")
    add_executable(${target} ${arg_UNPARSED_ARGUMENTS})
    target_link_libraries(${target} PRIVATE netron_flags_all ${arg_LIBS})
endfunction()

# What unit tests are run by, if anything.
set(NT_LAUNCHER "")
if(NETRON_VALGRIND)
    set(NT_LAUNCHER valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite)
endif()

# All programs of tests labelled threads: what the tsan preset needs.
add_custom_target(threads_tests)

# nt_test(<name> [LABELS label...] [LIBS lib...] [FILES file...] [TIMEOUT s]): the unit test
# <name>_test.c beside the code: one cmocka program, ctest <folder>/<name>. The label threads means
# that it has several, and is to be run under ThreadSanitizer.
function(nt_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LABELS;LIBS;FILES")
    nt_list(${name}_test.c)
    if(NOT NETRON_TESTS)
        return()
    endif()
    get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
    set(target ${folder}_${name}_test)
    nt_program(${target} ${name}_test.c ${arg_FILES} LIBS netron_test_support ${arg_LIBS})
    add_test(NAME ${folder}/${name} COMMAND ${NT_LAUNCHER} $<TARGET_FILE:${target}>)
    if(threads IN_LIST arg_LABELS)
        add_dependencies(threads_tests ${target})
    endif()
    nt_test_properties(${folder}/${name} LABELS unit ${arg_LABELS} TIMEOUT ${arg_TIMEOUT})
endfunction()

# nt_test_properties(<test> LABELS label... [TIMEOUT s]): what every test gets.
function(nt_test_properties test)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LABELS")
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 60)
    endif()
    # What may take long starts first, so that it does not end last.
    set_tests_properties(${test} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT}
        COST ${arg_TIMEOUT} ENVIRONMENT "${NT_TEST_ENVIRONMENT}")
endfunction()

# Sanitizers say where, stop at the first mistake and look for leaks.
set(NT_TEST_ENVIRONMENT "")
if(NETRON_SANITIZE)
    list(APPEND NT_TEST_ENVIRONMENT
        "ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=0:abort_on_error=0"
        "UBSAN_OPTIONS=print_stacktrace=1"
        "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")
endif()

# nt_unlisted(): every .c file of this folder must be in a list. One that was forgotten would silently
# not be built, or not be tested.
function(nt_unlisted)
    file(GLOB present CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
    get_property(listed DIRECTORY PROPERTY NT_LISTED)
    list(REMOVE_ITEM present ${listed})
    foreach(file IN LISTS present)
        file(RELATIVE_PATH name ${CMAKE_CURRENT_SOURCE_DIR} ${file})
        if(name MATCHES "^(.*)_test\\.c$")
            set(line "nt_test(${CMAKE_MATCH_1})")
        else()
            set(line "${name}")
        endif()
        message(SEND_ERROR "${file} is not built: add ${line} to the CMakeLists.txt beside it.")
    endforeach()
endfunction()
