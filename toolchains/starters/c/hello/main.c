// The smallest service: what is printed is the answer.
#include <stdio.h>

int main(void) {
    printf("Content-Type: text/plain; charset=utf-8\n\n");
    printf("Hello from C.\n");
}
