# find_package(QuireSources), then
# quire_add_library(TARGET PORT FOLDER [LAYERS LAYER...]): Quire compiled with a port of one's own
#
# A static library of the installed sources, with the quire_port.h in FOLDER. LAYERS are folders of
# src/, in any order: base always, phys slab map vm heap unless it is said; a layer needs those below
# it (heap needs no map and no vm). Knobs of quire/config.h and flags for the compiler are set by
# target_compile_definitions(TARGET PUBLIC ...) and target_compile_options(TARGET PRIVATE ...).
#
# Names that Quire's files share among themselves stay visible in it; what keeps them inside stands in
# docs/porting.md.
get_filename_component(Quire_SOURCE_DIR "${CMAKE_CURRENT_LIST_DIR}/@QUIRE_PACKAGE_TO_SOURCES@" ABSOLUTE)

function(quire_add_library target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "PORT" "LAYERS")
    if(NOT EXISTS "${arg_PORT}/quire_port.h" AND NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${arg_PORT}/quire_port.h")
        message(FATAL_ERROR "quire_add_library(${target}): PORT is to be a folder with a quire_port.h, not '${arg_PORT}'")
    endif()
    if(NOT arg_LAYERS)
        set(arg_LAYERS phys slab map vm heap)
    endif()
    file(STRINGS "${Quire_SOURCE_DIR}/src/sources.txt" all)
    set(sources)
    foreach(layer base ${arg_LAYERS})
        set(of_layer ${all})
        list(FILTER of_layer INCLUDE REGEX "^src/${layer}/")
        if(NOT of_layer)
            message(FATAL_ERROR "quire_add_library(${target}): there is no layer '${layer}'")
        endif()
        list(APPEND sources ${of_layer})
    endforeach()
    list(REMOVE_DUPLICATES sources)
    list(TRANSFORM sources PREPEND "${Quire_SOURCE_DIR}/")
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} BEFORE PUBLIC ${arg_PORT} "${Quire_SOURCE_DIR}/include"
        PRIVATE "${Quire_SOURCE_DIR}/src")
    set_target_properties(${target} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON)
endfunction()
