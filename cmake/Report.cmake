# What `quire report` needs beside its own sources.
#
# libjansson reads recordings of `quire run` (libjansson-dev is Debian's package), and dygraphs, in
# JavaScript, draws charts in the page (libjs-dygraphs). Without them the command is built, and says so
# when it is asked for what it can't do.

find_path(JANSSON_INCLUDE_DIR jansson.h)
find_library(JANSSON_LIBRARY jansson)
find_path(DYGRAPHS_DIR dygraph.min.js PATHS /usr/share/javascript /usr/local/share/javascript
          PATH_SUFFIXES dygraphs)
mark_as_advanced(JANSSON_INCLUDE_DIR JANSSON_LIBRARY DYGRAPHS_DIR)

if(JANSSON_INCLUDE_DIR AND JANSSON_LIBRARY)
    target_include_directories(quire-command PRIVATE ${JANSSON_INCLUDE_DIR})
    target_link_libraries(quire-command PRIVATE ${JANSSON_LIBRARY})
    # Both have json_object and the like: the library's calls of its own stay its own.
    target_link_options(quire-command PRIVATE
        -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/command.map)
    set_property(TARGET quire-command APPEND PROPERTY LINK_DEPENDS
                 ${PROJECT_SOURCE_DIR}/cmake/command.map)
    target_compile_definitions(quire-command PRIVATE QUIRE_HAVE_JANSSON)
else()
    message(STATUS "jansson.h wasn't found: quire report won't read recordings of quire run")
endif()

# The page's parts as arrays of bytes.
function(quire_embed name file)
    set(made ${CMAKE_CURRENT_BINARY_DIR}/report/${name}.c)
    add_custom_command(OUTPUT ${made}
        COMMAND ${CMAKE_COMMAND} -DFILE=${file} -DNAME=${name} -DMADE=${made}
                -P ${PROJECT_SOURCE_DIR}/cmake/Embed.cmake
        DEPENDS ${file} ${PROJECT_SOURCE_DIR}/cmake/Embed.cmake VERBATIM)
    target_sources(quire-command PRIVATE ${made})
endfunction()

if(DYGRAPHS_DIR AND EXISTS ${DYGRAPHS_DIR}/dygraph.min.css)
    target_compile_definitions(quire-command PRIVATE QUIRE_HAVE_DYGRAPHS)
    set(report ${PROJECT_SOURCE_DIR}/tools/report)
    quire_embed(report_page ${report}/page.html)
    quire_embed(report_style ${report}/page.css)
    foreach(part base charts map areas page)
        quire_embed(report_${part}_js ${report}/${part}.js)
    endforeach()
    quire_embed(report_licence ${report}/dygraphs.txt)
    quire_embed(report_dygraph_js ${DYGRAPHS_DIR}/dygraph.min.js)
    quire_embed(report_dygraph_css ${DYGRAPHS_DIR}/dygraph.min.css)
else()
    message(STATUS "dygraph.min.js wasn't found: quire report won't make pages")
endif()
