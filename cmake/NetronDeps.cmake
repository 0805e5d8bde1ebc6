# What libnetron links: target netron_deps. Paths of libraries, not imported targets, so that
# nothing of them gets into the exported CMake package.
add_library(netron_deps INTERFACE)

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
pkg_check_modules(LIBUV REQUIRED libuv>=1.40)

# The archive, as far as it is there: of the shared library only two functions are needed, and
# relocating the rest of it would be most of what starting a node takes (docs/adr/0013).
get_filename_component(crypto_folder ${OPENSSL_CRYPTO_LIBRARY} DIRECTORY)
find_library(CRYPTO_ARCHIVE NAMES libcrypto.a PATHS ${crypto_folder} NO_DEFAULT_PATH)
if(CRYPTO_ARCHIVE)
    set(crypto ${CRYPTO_ARCHIVE})
else()
    message(STATUS "No libcrypto.a in ${crypto_folder}: the shared library makes nodes start later.")
    set(crypto ${OPENSSL_CRYPTO_LIBRARY})
endif()

target_include_directories(netron_deps SYSTEM INTERFACE ${LIBUV_INCLUDE_DIRS} ${OPENSSL_INCLUDE_DIR})
target_link_libraries(netron_deps INTERFACE
    ${LIBUV_LINK_LIBRARIES} ${crypto} ${CMAKE_DL_LIBS} ${CMAKE_THREAD_LIBS_INIT} m)

if(NETRON_FIBER STREQUAL "boost")
    # The archive, never the .so: that one needs libstdc++.
    find_library(BOOST_CONTEXT_ARCHIVE NAMES libboost_context.a libboost_context-mt.a)
    if(NOT BOOST_CONTEXT_ARCHIVE)
        message(FATAL_ERROR "libboost_context.a not found. Install libboost-context-dev "
            "(macOS: brew install boost), or configure with -DNETRON_FIBER=ucontext.")
    endif()
    target_link_libraries(netron_deps INTERFACE ${BOOST_CONTEXT_ARCHIVE})
elseif(NETRON_FIBER STREQUAL "ucontext")
    target_compile_definitions(netron_deps INTERFACE NETRON_FIBER_UCONTEXT=1)
else()
    message(FATAL_ERROR "NETRON_FIBER is \"${NETRON_FIBER}\": it must be boost or ucontext.")
endif()

if(NETRON_TESTS)
    find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
    pkg_check_modules(CMOCKA REQUIRED cmocka>=1.1)
    enable_language(CXX)
endif()
