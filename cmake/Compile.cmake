# How everything is compiled: optimised with debug information unless the user says otherwise.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo) # -O2 -g
endif()

add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wvla
                    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>)
if(QUIRE_WERROR)
    add_compile_options(-Werror)
endif()
if(QUIRE_SANITIZE)
    add_compile_options(-fsanitize=${QUIRE_SANITIZE} -fno-sanitize-recover=all
                        -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${QUIRE_SANITIZE})
endif()
if(QUIRE_COVERAGE)
    add_compile_options(-O0 --coverage -fprofile-update=atomic)
    add_link_options(--coverage)
endif()
# Messages and failed tests name files from the root on, wherever that is.
add_compile_options(-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)
