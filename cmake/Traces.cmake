# Traces and the models that replay them: of the command, and of the tests, fuzz targets and benchmarks
# that work without it.
#
# zstd is used if its headers are there (libzstd-dev is Debian's package); traces that are compressed
# are refused otherwise.

find_path(ZSTD_INCLUDE_DIR zstd.h)
find_library(ZSTD_LIBRARY zstd)
mark_as_advanced(ZSTD_INCLUDE_DIR ZSTD_LIBRARY)

set(QUIRE_TRACE_SOURCES)
foreach(source model model_lru model_opt model_queue replay_run
        trace_compact trace_crc trace_input trace_lackey trace_pages trace_reader trace_writer)
    list(APPEND QUIRE_TRACE_SOURCES ${PROJECT_SOURCE_DIR}/tools/${source}.c)
endforeach()

# What a target needs that compiles or links them.
add_library(quire-traces-usage INTERFACE)
target_include_directories(quire-traces-usage INTERFACE
    ${PROJECT_SOURCE_DIR}/tools ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(quire-traces-usage INTERFACE Threads::Threads)
if(ZSTD_INCLUDE_DIR AND ZSTD_LIBRARY)
    target_include_directories(quire-traces-usage INTERFACE ${ZSTD_INCLUDE_DIR})
    target_link_libraries(quire-traces-usage INTERFACE ${ZSTD_LIBRARY})
    target_compile_definitions(quire-traces-usage INTERFACE QUIRE_HAVE_ZSTD)
else()
    message(STATUS "zstd.h wasn't found: quire won't read and write compressed traces")
endif()

add_library(quire-traces OBJECT ${QUIRE_TRACE_SOURCES})
target_link_libraries(quire-traces PUBLIC quire-traces-usage PRIVATE quire-objects)
