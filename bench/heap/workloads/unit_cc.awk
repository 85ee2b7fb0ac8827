# bench/heap/workloads/unit_cc.awk: a C++ file: much of the standard library, and templates instantiated for many types
BEGIN {
    split("algorithm array chrono deque functional future iostream list locale map memory numeric optional queue random " \
          "set sstream stdexcept string thread tuple type_traits unordered_map unordered_set utility variant vector", header, " ")
    for (i = 1; i in header; i++)
        print "#include <" header[i] ">"
    print "template <typename... T> using Row = std::tuple<T...>;"
    print "template <typename Container> auto total(const Container &all) {\n  return std::accumulate(all.begin(), all.end(), std::size_t(0),"
    print "      [](std::size_t sum, const auto &one) { return sum + std::hash<std::decay_t<decltype(one)>>()(one); });\n}"
    for (i = 0; i < 2; i++) {
        printf "struct Key%d {\n  std::string name; std::array<int, %d> part;\n", i, i + 1
        printf "  bool operator<(const Key%d &other) const { return std::tie(name, part) < std::tie(other.name, other.part); }\n", i
        printf "  bool operator==(const Key%d &other) const { return std::tie(name, part) == std::tie(other.name, other.part); }\n};\n", i
        printf "template <> struct std::hash<Key%d> { std::size_t operator()(const Key%d &key) const { return std::hash<std::string>()(key.name); } };\n", i, i
        printf "std::size_t use%d(const std::vector<Key%d> &keys, std::ostream &out) {\n", i, i
        printf "  std::map<Key%d, std::vector<std::string>> tree; std::unordered_map<Key%d, std::deque<int>> table; std::set<Key%d> sorted(keys.begin(), keys.end());\n", i, i, i
        printf "  std::variant<int, std::string, Key%d> one = keys.front(); std::list<Row<Key%d, int, std::string>> rows;\n", i, i
        printf "  for (const auto &key : keys) { tree[key].push_back(key.name); table[key].push_back(%d); rows.emplace_back(key, %d, key.name); }\n", i, i
        printf "  auto sum = total(keys) + total(sorted); std::function<std::size_t(const Key%d &)> size = [&](const Key%d &key) { return tree[key].size() + table[key].size(); };\n", i, i
        printf "  std::vector<Key%d> copy(keys); std::stable_sort(copy.begin(), copy.end()); std::shuffle(copy.begin(), copy.end(), std::mt19937(%d));\n", i, i
        printf "  std::visit([&](const auto &what) { sum += std::hash<std::decay_t<decltype(what)>>()(what); }, one);\n"
        printf "  for (const auto &[key, number, name] : rows) { out << name << number; sum += size(key); }\n"
        printf "  return keys.back().name.size() > %d ? sum : sum + 1;\n}\n", i
    }
}
