/* tests/preload/errors/objects.cc: objects of C++ that end twice, or as something else */
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "errors.h"

static void two_owners_of_one_object()
{
    auto *object = new std::string("a string that is too long to lie in the object itself");
    std::shared_ptr<std::string> one(object);
    std::shared_ptr<std::string> other(
        reinterpret_cast<std::string *>(hidden(static_cast<void *>(object))));
}

static void released_and_kept()
{
    auto one = std::make_unique<char[]>(200);
    char *block = one.get();
    one.reset();
    delete[] hidden(block);
}

static void elements_of_a_vector()
{
    std::vector<char> vector(300, 'a');
    operator delete(hidden(vector.data()));
}

static void short_string()
{
    std::string text("short");
    operator delete(hidden(&text[0]));
}

static void vector_written_beyond()
{
    std::vector<long> vector(7, 1), after(7, 1);
    long *element = reinterpret_cast<long *>(hidden(vector.data()));
    element[7] = 5;
    element[8] = 5;
}

static void second_element_of_an_array()
{
    auto *array = new long[20];
    operator delete(hidden(array + 2));
}

static void reference_into_a_vector_that_grew()
{
    std::vector<long> vector(4, 1);
    char *first = hidden(vector.data());
    for (long i = 0; i < 100; i++)
        vector.push_back(i);
    std::memset(first, 0x41, 32);
    std::vector<long> another(4, 2);
}

struct Base {
    long number = 1;
};
struct Derived : Base {
    char text[200] = "text";
};

static void object_by_its_base()
{
    Base *object = new Derived;
    delete reinterpret_cast<Base *>(hidden(object));
}

static void object_on_the_stack()
{
    Derived object;
    delete reinterpret_cast<Derived *>(hidden(&object));
}

static const struct heap_error errors[] = {
    HEAP_ERROR(two_owners_of_one_object),
    HEAP_ERROR(released_and_kept),
    HEAP_ERROR(elements_of_a_vector),
    HEAP_ERROR(short_string),
    HEAP_ERROR(vector_written_beyond),
    HEAP_ERROR(second_element_of_an_array),
    HEAP_ERROR(reference_into_a_vector_that_grew),
    HEAP_ERROR(object_by_its_base),
    HEAP_ERROR(object_on_the_stack),
    {nullptr, nullptr},
};
extern "C" const struct error_group errors_objects;
const struct error_group errors_objects = {"objects", errors};
