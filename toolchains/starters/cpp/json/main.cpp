// A small JSON API: /?word=level says whether a word reads the same backwards.
#include <algorithm>
#include <cctype>
#include <iostream>
#include <string>

#include <vivarium.h>

int main() {
    char buffer[200];
    if (vivarium_parameter("word", buffer, sizeof buffer) <= 0) {
        std::cout << "Status: 400\nContent-Type: application/json\n\n{\"error\":\"give a word, as in ?word=level\"}\n";
        return 0;
    }
    std::string word = buffer;
    std::erase_if(word, [](unsigned char letter) { return !std::isalpha(letter); });
    std::ranges::transform(word, word.begin(), [](unsigned char letter) { return std::tolower(letter); });
    bool same = std::equal(word.begin(), word.end(), word.rbegin());
    std::cout << "Content-Type: application/json\n\n{\"word\":\"" << word << "\",\"palindrome\":" << std::boolalpha << same << "}\n";
}
