/* tests/preload/conformance/operators.cc: operators new and delete in all forms, and what C++ does
 * with them: exceptions, handlers, data of threads and of the program
 */
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <memory_resource>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"

namespace
{

const std::size_t sizes[] = {0, 1, 8, 16, 24, 100, 1000, 4096, 10000, 100000, 1000000, 5000000};
const std::size_t huge_sizes[] = {SIZE_MAX - 4096, SIZE_MAX / 2 + 1, PTRDIFF_MAX};

void use(void *block, std::size_t size, std::size_t alignment)
{
    REQUIRE(block);
    CHECK(is_aligned(block, alignment));
    CHECK(malloc_usable_size(block) >= size);
    std::memset(block, 1, size);
}

} // namespace

/* ---- forms ----------------------------------------------------------------------------------- */

static void plain_forms_allocate_and_free()
{
    for (std::size_t size : sizes) {
        void *one = operator new(size), *array = operator new[](size);
        use(one, size, 16);
        use(array, size, 16);
        operator delete(one);
        operator delete[](array);
        one = operator new(size), array = operator new[](size);
        use(one, size, 16);
        use(array, size, 16);
        operator delete(one, size);
        operator delete[](array, size);
    }
}

static void nothrow_forms_allocate_and_free()
{
    for (std::size_t size : sizes) {
        void *one = operator new(size, std::nothrow), *array = operator new[](size, std::nothrow);
        use(one, size, 16);
        use(array, size, 16);
        operator delete(one, std::nothrow);
        operator delete[](array, std::nothrow);
    }
}

static void aligned_forms_allocate_and_free()
{
    for (std::size_t bytes = 1; bytes <= 65536; bytes *= 2)
        for (std::size_t size : sizes) {
            auto alignment = static_cast<std::align_val_t>(bytes);
            void *one = operator new(size, alignment), *array = operator new[](size, alignment);
            use(one, size, bytes);
            use(array, size, bytes);
            operator delete(one, alignment);
            operator delete[](array, alignment);
            one = operator new(size, alignment), array = operator new[](size, alignment);
            use(one, size, bytes);
            use(array, size, bytes);
            operator delete(one, size, alignment);
            operator delete[](array, size, alignment);
        }
}

static void aligned_nothrow_forms_allocate_and_free()
{
    for (std::size_t bytes = 1; bytes <= 65536; bytes *= 2)
        for (std::size_t size : sizes) {
            auto alignment = static_cast<std::align_val_t>(bytes);
            void *one = operator new(size, alignment, std::nothrow);
            void *array = operator new[](size, alignment, std::nothrow);
            use(one, size, bytes);
            use(array, size, bytes);
            operator delete(one, alignment, std::nothrow);
            operator delete[](array, alignment, std::nothrow);
        }
}

static void delete_of_nullptr_does_nothing()
{
    void *none = opaque(nullptr);
    operator delete(none);
    operator delete[](none);
    operator delete(none, std::size_t(8));
    operator delete[](none, std::size_t(8));
    operator delete(none, std::nothrow);
    operator delete[](none, std::nothrow);
    operator delete(none, std::align_val_t(64));
    operator delete[](none, std::align_val_t(64));
    operator delete(none, std::size_t(8), std::align_val_t(64));
    operator delete[](none, std::size_t(8), std::align_val_t(64));
}

static void new_of_0_gives_blocks_of_their_own()
{
    void *a = operator new(0), *b = operator new[](0), *c = operator new(0, std::align_val_t(64));
    CHECK(a && b && c && a != b && b != c && a != c);
    operator delete(a);
    operator delete[](b);
    operator delete(c, std::align_val_t(64));
}

/* The other forms call these by default, whoever has them: C++ says so. */
static void new_and_delete_are_of_one_library()
{
    static const char *const names[] = {
        "_Znwm",
        "_ZdlPv",
        "_ZnwmSt11align_val_t",
        "_ZdlPvSt11align_val_t",
    };
    const char *wanted = nullptr;
    for (const char *name : names) {
        Dl_info info;
        void *function = dlsym(RTLD_DEFAULT, name);
        REQUIRE(function && dladdr(function, &info));
        if (!wanted)
            wanted = info.dli_fname;
        if (std::strcmp(wanted, info.dli_fname))
            note("%s is in %s, _Znwm in %s", name, info.dli_fname, wanted);
        CHECK(!std::strcmp(wanted, info.dli_fname));
    }
}

/* ---- when there is no memory ----------------------------------------------------------------- */

template <typename Allocate> static bool throws_bad_alloc(Allocate allocate)
{
    try {
        (void)opaque(allocate());
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

static void new_of_too_much_throws_bad_alloc()
{
    for (std::size_t size : huge_sizes) {
        CHECK(throws_bad_alloc([=] { return operator new(opaque_size(size)); }));
        CHECK(throws_bad_alloc([=] { return operator new[](opaque_size(size)); }));
        CHECK(throws_bad_alloc(
            [=] { return operator new(opaque_size(size), std::align_val_t(64)); }));
        CHECK(throws_bad_alloc(
            [=] { return operator new[](opaque_size(size), std::align_val_t(4096)); }));
    }
    CHECK(throws_bad_alloc([] { return new int[opaque_size(SIZE_MAX / 4)]; }));
}

static void nothrow_new_of_too_much_is_nullptr()
{
    for (std::size_t size : huge_sizes) {
        CHECK(!opaque(operator new(opaque_size(size), std::nothrow)));
        CHECK(!opaque(operator new[](opaque_size(size), std::nothrow)));
        CHECK(!opaque(operator new(opaque_size(size), std::align_val_t(64), std::nothrow)));
        CHECK(!opaque(operator new[](opaque_size(size), std::align_val_t(64), std::nothrow)));
    }
}

/* beyond: libstdc++ 12 rounds the size up to the alignment, past the end of size_t */
static void aligned_new_of_all_there_is_fails()
{
    for (std::size_t size : {SIZE_MAX, SIZE_MAX - 15}) {
        CHECK(throws_bad_alloc([=] { return operator new(opaque_size(size)); }));
        CHECK(throws_bad_alloc(
            [=] { return operator new(opaque_size(size), std::align_val_t(64)); }));
        CHECK(!opaque(operator new(opaque_size(size), std::align_val_t(4096), std::nothrow)));
    }
}

static unsigned handled;

static void give_up_the_third_time()
{
    if (++handled == 3)
        std::set_new_handler(nullptr);
}

static void throw_of_its_own()
{
    handled++;
    throw std::runtime_error("no memory");
}

static void the_handler_is_called_until_it_gives_up()
{
    std::set_new_handler(give_up_the_third_time);
    CHECK(throws_bad_alloc([] { return operator new(opaque_size(SIZE_MAX)); }));
    CHECK_EQ(handled, 3);
    handled = 0;
    std::set_new_handler(give_up_the_third_time);
    CHECK(throws_bad_alloc(
        [] { return operator new(opaque_size(SIZE_MAX - 200), std::align_val_t(64)); }));
    CHECK_EQ(handled, 3);
}

static void nothrow_new_calls_the_handler_too()
{
    std::set_new_handler(give_up_the_third_time);
    CHECK(!opaque(operator new(opaque_size(SIZE_MAX), std::nothrow)));
    CHECK_EQ(handled, 3);
    handled = 0;
    std::set_new_handler(throw_of_its_own);
    CHECK(!opaque(operator new[](opaque_size(SIZE_MAX), std::nothrow)));
    CHECK_EQ(handled, 1);
}

static void what_the_handler_throws_comes_through()
{
    bool caught = false;
    std::set_new_handler(throw_of_its_own);
    try {
        (void)opaque(operator new(opaque_size(SIZE_MAX)));
    } catch (const std::runtime_error &) {
        caught = true;
    }
    CHECK(caught && handled == 1);
}

/* ---- programs -------------------------------------------------------------------------------- */

static void containers_keep_what_they_hold()
{
    std::map<std::string, std::vector<int>> map;
    for (int i = 0; i < 20000; i++)
        map["key number " + std::to_string(i % 997)].push_back(i);
    std::size_t count = 0;
    for (const auto &entry : map)
        for (int value : entry.second) {
            CHECK(entry.first == "key number " + std::to_string(value % 997));
            count++;
        }
    CHECK_EQ(count, 20000);
}

struct alignas(256) Wide {
    char byte[256];
};

static void over_aligned_types_are_aligned()
{
    std::vector<std::unique_ptr<Wide>> blocks;
    std::vector<Wide> array(100);
    for (int i = 0; i < 1000; i++) {
        blocks.push_back(std::make_unique<Wide>());
        CHECK(is_aligned(blocks.back().get(), alignof(Wide)));
    }
    CHECK(is_aligned(array.data(), alignof(Wide)));
    auto *resource = std::pmr::new_delete_resource();
    void *block = resource->allocate(1000, 512);
    CHECK(is_aligned(block, 512));
    resource->deallocate(block, 1000, 512);
}

static void throw_often(unsigned seed)
{
    for (unsigned i = 0; i < 2000; i++)
        try {
            std::string text(seed % 100 + i % 50, 'x');
            if (i % 2)
                throw std::runtime_error(text);
            throw std::vector<int>(100, int(i));
        } catch (const std::runtime_error &error) {
            CHECK_EQ(std::strlen(error.what()), seed % 100 + i % 50);
        } catch (const std::vector<int> &numbers) {
            CHECK(numbers.size() == 100 && numbers[99] == int(i));
        }
}

static void threads_throw_at_the_same_time()
{
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 8; i++)
        threads.emplace_back(throw_often, i);
    for (auto &thread : threads)
        thread.join();
}

/* ---- ends ------------------------------------------------------------------------------------ */

static unsigned destroyed;

struct Chain {
    std::string text = std::string(500, 'c');
    ~Chain()
    {
        std::vector<std::string> more(10, text);
        CHECK(more[9] == text);
        __atomic_fetch_add(&destroyed, 1, __ATOMIC_RELAXED);
    }
};

static thread_local Chain chain;
static thread_local std::map<int, std::string> of_thread;

static void destructors_of_thread_local_data_allocate_and_free()
{
    for (unsigned round = 0; round < 200; round++) {
        std::thread thread([] {
            for (int i = 0; i < 100; i++)
                of_thread[i] = chain.text + std::to_string(i);
        });
        thread.join();
    }
    CHECK_EQ(destroyed, 200);
}

struct Last {
    std::string *text = nullptr;
    ~Last()
    {
        if (!text)
            return; /* another case */
        std::string copy = *text + *text;
        bool good = copy.size() == 2000 && copy[1999] == 'e';
        delete text;
        _exit(good ? 0 : 3);
    }
};
static Last last;

static void of_end_of_the_program()
{
    last.text = new std::string(1000, 'e');
    std::exit(4);
}

static void destructors_of_the_program_allocate_and_free()
{
    CHECK_EQ(run_self("operators.of_end_of_the_program", NULL, NULL), 0);
}

static const struct conformance_case cases[] = {
    CASE(plain_forms_allocate_and_free),
    CASE(nothrow_forms_allocate_and_free),
    CASE(aligned_forms_allocate_and_free),
    CASE(aligned_nothrow_forms_allocate_and_free),
    CASE(delete_of_nullptr_does_nothing),
    CASE(new_of_0_gives_blocks_of_their_own),
    CASE(new_and_delete_are_of_one_library),
    CASE(new_of_too_much_throws_bad_alloc),
    CASE(nothrow_new_of_too_much_is_nullptr),
    CASE_BEYOND(aligned_new_of_all_there_is_fails,
                "libstdc++ 12 rounds the size up to the alignment, past the end of size_t"),
    CASE(the_handler_is_called_until_it_gives_up),
    CASE(nothrow_new_calls_the_handler_too),
    CASE(what_the_handler_throws_comes_through),
    CASE(containers_keep_what_they_hold),
    CASE(over_aligned_types_are_aligned),
    CASE(threads_throw_at_the_same_time),
    CASE(destructors_of_thread_local_data_allocate_and_free),
    CASE_INNER(of_end_of_the_program),
    CASE(destructors_of_the_program_allocate_and_free),
    END_OF_CASES,
};
static const struct conformance_group group = {"operators", cases};

extern "C" const struct conformance_group *const conformance_groups[];
const struct conformance_group *const conformance_groups[] = {&group, nullptr};
