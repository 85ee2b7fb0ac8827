# What reads ELF files: of the command, and of tests and a fuzz target that work without it.
#
# libelf is used if its headers are there (libelf-dev is Debian's package); otherwise `quire boot` runs no
# programs.

find_path(LIBELF_INCLUDE_DIR gelf.h)
find_library(LIBELF_LIBRARY elf)
mark_as_advanced(LIBELF_INCLUDE_DIR LIBELF_LIBRARY)

set(QUIRE_BINARY_SOURCES)
foreach(source allocate binary library_cache)
    list(APPEND QUIRE_BINARY_SOURCES ${PROJECT_SOURCE_DIR}/tools/${source}.c)
endforeach()

# What a target needs that compiles or links them.
add_library(quire-binaries-usage INTERFACE)
target_include_directories(quire-binaries-usage INTERFACE ${PROJECT_SOURCE_DIR}/tools)
if(LIBELF_INCLUDE_DIR AND LIBELF_LIBRARY)
    target_include_directories(quire-binaries-usage INTERFACE ${LIBELF_INCLUDE_DIR})
    target_link_libraries(quire-binaries-usage INTERFACE ${LIBELF_LIBRARY})
    target_compile_definitions(quire-binaries-usage INTERFACE QUIRE_HAVE_LIBELF)
else()
    message(STATUS "gelf.h wasn't found: quire boot won't run programs")
endif()

add_library(quire-binaries OBJECT ${QUIRE_BINARY_SOURCES})
target_link_libraries(quire-binaries PUBLIC quire-binaries-usage)
