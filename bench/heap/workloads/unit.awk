# bench/heap/workloads/unit.awk: a large C file, 400 functions
BEGIN {
    print "#include <stdint.h>\n#include <stddef.h>"
    for (i = 0; i < 200; i++) {
        printf "struct s%d { uint64_t a; uint32_t b[%d]; struct s%d *next; };\n", i, i % 13 + 1, i
        printf "static inline uint64_t mix%d(uint64_t x) { x ^= x >> %d; x *= %d; return x ^ x << %d; }\n", i, i % 31 + 1, i * 7919 + 3, i % 29 + 1
        printf "uint64_t sum%d(const struct s%d *s, size_t n) {\n  uint64_t total = 0;\n", i, i
        printf "  for (; s; s = s->next) {\n    for (size_t i = 0; i < sizeof s->b / sizeof *s->b; i++)\n      total += mix%d(s->b[i]) %% (n + %d);\n", i, i + 1
        printf "    switch (total & 7) { case 0: total ^= s->a; break; case 3: total += n; break; case 5: total = mix%d(total); break; default: n++; }\n  }\n  return total;\n}\n", i
    }
}
