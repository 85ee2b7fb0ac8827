# libquire.a and libquire.so with the port for a process, and how others find them.

add_library(quire STATIC ${QUIRE_SOURCES} ports/posix/posix.c)
add_library(quire-shared SHARED ${QUIRE_SOURCES} ports/posix/posix.c)
set_target_properties(quire-shared PROPERTIES
    OUTPUT_NAME quire
    VERSION ${PROJECT_VERSION}
    SOVERSION ${QUIRE_SOVERSION}
    LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/libquire.map)
# Calls within the library stay within it, and can be inlined.
target_compile_options(quire-shared PRIVATE -fno-semantic-interposition)
target_link_options(quire-shared PRIVATE
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/libquire.map -Wl,-Bsymbolic-functions)

find_package(Threads REQUIRED)
set(QUIRE_INSTALLED_PORT ${CMAKE_INSTALL_INCLUDEDIR}/quire-posix)
foreach(library quire quire-shared)
    target_include_directories(${library}
        PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
               $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/ports/posix>
               $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
               $<INSTALL_INTERFACE:${QUIRE_INSTALLED_PORT}>
        PRIVATE src)
    target_compile_definitions(${library} PUBLIC ${QUIRE_CONFIG})
    target_link_libraries(${library} PUBLIC Threads::Threads)
    add_library(Quire::${library} ALIAS ${library})
endforeach()

install(TARGETS quire quire-shared EXPORT QuireTargets)
install(DIRECTORY include/quire TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
install(FILES ports/posix/quire_port.h DESTINATION ${QUIRE_INSTALLED_PORT})

include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Quire)
install(EXPORT QuireTargets NAMESPACE Quire:: DESTINATION ${package_dir})
write_basic_package_version_file(QuireConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES cmake/QuireConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/QuireConfigVersion.cmake
        DESTINATION ${package_dir})

list(TRANSFORM QUIRE_CONFIG PREPEND -D OUTPUT_VARIABLE config_flags)
list(JOIN config_flags " " QUIRE_CONFIG_FLAGS)
# Relative to where quire.pc lies, so that a moved prefix still works.
file(RELATIVE_PATH QUIRE_PC_TO_PREFIX
     ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/quire.pc.in quire.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/quire.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
