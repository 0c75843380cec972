// Sends the request back: its method, its path, who asked, and its body.
#include <iostream>

#include <vivarium.h>

int main() {
    const char *agent = vivarium_header("User-Agent");
    std::cout << "Content-Type: text/plain; charset=utf-8\n\n"
              << vivarium_method() << ' ' << vivarium_path() << "\nUser-Agent: " << (agent ? agent : "none") << "\n\n";
    if (std::cin.peek() != EOF) std::cout << std::cin.rdbuf();
}
