# Quire's sources, installed for those who bring their own port: it is inlined, so a library that is
# compiled already can't serve them. One folder has all that a build needs, and can be copied.
#
# `cmake --install BUILD --component sources` installs them alone, and nothing has to be built for it.

set(QUIRE_INSTALLED_SOURCES ${CMAKE_INSTALL_DATADIR}/quire)
install(DIRECTORY src DESTINATION ${QUIRE_INSTALLED_SOURCES} COMPONENT sources
        FILES_MATCHING PATTERN "*.[ch]" PATTERN sources.txt)
install(DIRECTORY include DESTINATION ${QUIRE_INSTALLED_SOURCES} COMPONENT sources
        FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE DESTINATION ${QUIRE_INSTALLED_SOURCES} COMPONENT sources)
configure_file(cmake/quire-sources.pc.in quire-sources.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/quire-sources.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT sources)
set(sources_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/QuireSources)
file(RELATIVE_PATH QUIRE_PACKAGE_TO_SOURCES ${CMAKE_INSTALL_PREFIX}/${sources_package_dir}
     ${CMAKE_INSTALL_PREFIX}/${QUIRE_INSTALLED_SOURCES})
configure_file(cmake/QuireSourcesConfig.cmake QuireSourcesConfig.cmake @ONLY)
write_basic_package_version_file(QuireSourcesConfigVersion.cmake COMPATIBILITY SameMinorVersion
                                 ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/QuireSourcesConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/QuireSourcesConfigVersion.cmake
        DESTINATION ${sources_package_dir} COMPONENT sources)
