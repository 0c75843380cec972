// The smallest service: what is printed is the answer.
#include <iostream>

int main() {
    std::cout << "Content-Type: text/plain; charset=utf-8\n\n";
    std::cout << "Hello from C++.\n";
}
