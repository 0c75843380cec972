// Pulls in what C++ programs use of streams and strings, so that its code can be compiled ahead. It is never run.
#include <format>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <string>

namespace {

// A template is compiled for each type that it is used with; these are the types that programs use it with.
template <typename T> void stream(std::istream &in, std::ostream &out) {
    T value{};
    in >> value;
    out << value << std::endl;
}

void strings(std::istream &in, std::ostream &out) {
    std::string line;
    std::ostringstream text;
    while (std::getline(in, line)) text << line.substr(line.find(' ') + 1) + ", " << std::stoi(line) << std::stod(line) << std::to_string(1.5);
    out << text.str() << std::hex << std::fixed << std::setprecision(3) << 1.5 << std::quoted(line) << std::stoll(line, nullptr, 16);
    out << std::format("{:>8} {:.3f} {:#x} {}", line, 1.5, 255, true) << std::string_view(line).rfind("x");
    line.replace(0, 1, "y").append(3, 'z').insert(2, "w").erase(0, 1);
}

}  // namespace

int main(int count, char **) {
    switch (count) {
        case 1: stream<int>(std::cin, std::cout); break;
        case 2: stream<unsigned long>(std::cin, std::cerr); break;
        case 3: stream<long long>(std::cin, std::clog); break;
        case 4: stream<double>(std::cin, std::cout); break;
        case 5: stream<std::string>(std::cin, std::cout); break;
        case 6: stream<char>(std::cin, std::cout); break;
        default: strings(std::cin, std::cout);
    }
}
