# The manual: pages of commands as they are, those of layers made from their headers.

file(GLOB manual_sources CONFIGURE_DEPENDS docs/man/*.1 docs/man/*.3 docs/man/*.3.in include/quire/*.h)
add_custom_command(OUTPUT manual.stamp
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${PROJECT_BINARY_DIR}/manual
    COMMAND docs/man/make.sh ${PROJECT_BINARY_DIR}/manual
    COMMAND ${CMAKE_COMMAND} -E touch ${PROJECT_BINARY_DIR}/manual.stamp
    DEPENDS ${manual_sources} docs/man/make.sh docs/man/manual.awk ports/posix/quire_port.h
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} VERBATIM)
add_custom_target(manual ALL DEPENDS manual.stamp)
install(DIRECTORY ${PROJECT_BINARY_DIR}/manual/ DESTINATION ${CMAKE_INSTALL_MANDIR})
