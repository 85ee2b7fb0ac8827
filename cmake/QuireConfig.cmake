# find_package(Quire): targets Quire::quire (static) and Quire::quire-shared, on the posix port;
# Quire::quire-sim with either. quire_add_library makes a library with another port: QuireSources.cmake.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/QuireTargets.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/QuireSources.cmake)
