# find_package(Quire): targets Quire::quire (static) and Quire::quire-shared, on the posix port;
# Quire::quire-sim with either. For a library with another port: find_package(QuireSources).
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/QuireTargets.cmake)
