# What `cmake --install` puts where: headers, library, command, netron.pc, CMake package, manuals.
include(CMakePackageConfigHelpers)

set(netron_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Netron)

install(TARGETS netron EXPORT NetronTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET netron_cli)
    # The command finds the library it was installed with, wherever the prefix is moved to.
    file(RELATIVE_PATH bin_to_lib ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
    if(APPLE)
        set(origin @loader_path)
    else()
        set(origin "\$ORIGIN")
    endif()
    set_target_properties(netron_cli PROPERTIES INSTALL_RPATH ${origin}/${bin_to_lib})
    install(TARGETS netron_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY include/netron DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

install(EXPORT NetronTargets NAMESPACE netron:: DESTINATION ${netron_package_dir})
configure_package_config_file(cmake/NetronConfig.cmake.in ${PROJECT_BINARY_DIR}/NetronConfig.cmake
    INSTALL_DESTINATION ${netron_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/NetronConfigVersion.cmake
    COMPATIBILITY SameMinorVersion) # SemVer: before 1.0 a minor release may break
install(FILES ${PROJECT_BINARY_DIR}/NetronConfig.cmake ${PROJECT_BINARY_DIR}/NetronConfigVersion.cmake
    DESTINATION ${netron_package_dir})

file(RELATIVE_PATH NETRON_PC_TO_PREFIX
    ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" NETRON_PC_TO_PREFIX "${NETRON_PC_TO_PREFIX}")
configure_file(netron.pc.in ${PROJECT_BINARY_DIR}/netron.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/netron.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

file(GLOB manuals CONFIGURE_DEPENDS docs/man/*.1 docs/man/*.3 docs/man/*.7)
foreach(page IN LISTS manuals)
    get_filename_component(section ${page} LAST_EXT)
    string(SUBSTRING ${section} 1 -1 section)
    install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# The build folder can stand for an installation: PKG_CONFIG_PATH=build/release.
file(WRITE ${PROJECT_BINARY_DIR}/netron-uninstalled.pc "\
Name: netron
Description: ${PROJECT_DESCRIPTION}, not installed
Version: ${PROJECT_VERSION}
Cflags: -I${PROJECT_SOURCE_DIR}/include -fstack-clash-protection
Libs: -L${PROJECT_BINARY_DIR} -Wl,-rpath,${PROJECT_BINARY_DIR} -lnetron
")
