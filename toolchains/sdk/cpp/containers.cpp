// Pulls in what C++ programs use of containers and algorithms, so that its code can be compiled ahead. It is never run.
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

// A template is compiled for each type that it is used with; these are the types that programs use it with.
template <typename K, typename V> void maps(std::istream &in, std::ostream &out) {
    std::map<K, V> sorted;
    std::unordered_map<K, V> hashed;
    for (K key{}; in >> key;) sorted[key]++, hashed[key]++;
    for (const auto &[key, value] : sorted) out << key << ' ' << value << '\n';
    sorted.erase(sorted.begin()), hashed.erase(hashed.begin());
    out << sorted.size() + hashed.size();
}

template <typename T> void vectors(std::istream &in, std::ostream &out) {
    std::vector<T> values;
    for (T value{}; in >> value;) values.push_back(value);
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    values.resize(values.size() * 2), values.insert(values.begin(), T{});
    for (const T &value : values) out << value << ' ';
}

void others(std::ostream &out) {
    std::mt19937 numbers(std::random_device{}());
    out << std::uniform_int_distribution<int>(1, 6)(numbers);
    auto shared = std::make_shared<std::string>("a");
    std::function<std::string()> function = [shared] { return *shared; };
    out << function();
}

}  // namespace

int main(int count, char **) {
    switch (count) {
        case 1: maps<std::string, int>(std::cin, std::cout); break;
        case 2: maps<int, int>(std::cin, std::cout); break;
        case 3: vectors<int>(std::cin, std::cout); break;
        case 4: vectors<std::string>(std::cin, std::cout); break;
        default: others(std::cout);
    }
}
