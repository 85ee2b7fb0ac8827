# libquire.a and libquire.so with the port for a process, libquire-sim.a with processors in software, and
# how others find them.
#
# Either library shows quire_* and nothing else: what the layers call among themselves has short names
# that a program may well use too. Tests of those link `quire-objects`.

find_package(Threads REQUIRED)
set(QUIRE_INSTALLED_PORT ${CMAKE_INSTALL_INCLUDEDIR}/quire-posix)

function(quire_library_usage library)
    target_include_directories(${library}
        PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
               $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/ports/posix>
               $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
               $<INSTALL_INTERFACE:${QUIRE_INSTALLED_PORT}>
        PRIVATE src)
    target_compile_definitions(${library} PUBLIC ${QUIRE_CONFIG})
    target_link_libraries(${library} PUBLIC Threads::Threads)
endfunction()

add_library(quire-objects OBJECT ${QUIRE_SOURCES} ports/posix/posix.c)
quire_library_usage(quire-objects)

# One object of all, in which the other names are local.
function(quire_static_library library)
    add_custom_command(OUTPUT ${library}.o
        COMMAND ${CMAKE_LINKER} -r $<TARGET_OBJECTS:${library}-objects> -o ${library}-all.o
        COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=quire_* ${library}-all.o ${library}.o
        DEPENDS ${library}-objects $<TARGET_OBJECTS:${library}-objects>
        COMMAND_EXPAND_LISTS VERBATIM)
    add_library(${library} STATIC ${CMAKE_CURRENT_BINARY_DIR}/${library}.o)
    set_target_properties(${library} PROPERTIES LINKER_LANGUAGE C)
    quire_library_usage(${library})
endfunction()
quire_static_library(quire)

# Of ports/sim what needs no other port than this: a program gives its tables quire_sim_tlb_flush. Its
# header is included as in the sources, <ports/sim/sim.h>. To be linked with either library.
add_library(quire-sim-objects OBJECT ports/sim/access.c ports/sim/cpu.c ports/sim/tlb.c)
quire_library_usage(quire-sim-objects)
target_include_directories(quire-sim-objects PRIVATE ${PROJECT_SOURCE_DIR})
quire_static_library(quire-sim)
target_include_directories(quire-sim PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)

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
quire_library_usage(quire-shared)
if(QUIRE_SANITIZE) # nothing that runs then is linked with it
    set_target_properties(quire-shared PROPERTIES EXCLUDE_FROM_ALL ON)
endif()

add_library(Quire::quire ALIAS quire)
add_library(Quire::quire-shared ALIAS quire-shared)
add_library(Quire::quire-sim ALIAS quire-sim)

install(TARGETS quire quire-shared quire-sim EXPORT QuireTargets)
install(DIRECTORY include/quire TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
install(FILES ports/posix/quire_port.h DESTINATION ${QUIRE_INSTALLED_PORT})
install(FILES ports/sim/sim.h DESTINATION ${QUIRE_INSTALLED_PORT}/ports/sim)

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
foreach(name quire quire-sim)
    configure_file(cmake/${name}.pc.in ${name}.pc @ONLY)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc
            DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
