/* Pulls in what C programs use of their library, so that its code can be compiled ahead. It is never run. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

typedef void (*function)(void);
#define PULL(name) (function)name

/* Volatile: the compiler must not see which of them is called. */
static volatile const function functions[] = {
    PULL(printf), PULL(fprintf), PULL(sprintf), PULL(snprintf), PULL(vprintf), PULL(vfprintf), PULL(vsnprintf),
    PULL(puts), PULL(putchar), PULL(fputs), PULL(fputc), PULL(putc), PULL(fwrite), PULL(fread), PULL(fopen), PULL(fclose),
    PULL(fflush), PULL(fgets), PULL(fgetc), PULL(getc), PULL(getchar), PULL(ungetc), PULL(getline), PULL(getdelim), PULL(feof), PULL(ferror),
    PULL(fseek), PULL(ftell), PULL(rewind), PULL(setvbuf), PULL(perror), PULL(remove), PULL(rename),
    PULL(scanf), PULL(fscanf), PULL(sscanf),
    PULL(malloc), PULL(calloc), PULL(realloc), PULL(free), PULL(aligned_alloc), PULL(qsort), PULL(bsearch), PULL(abort), PULL(exit), PULL(atexit),
    PULL(atoi), PULL(atol), PULL(atof), PULL(strtol), PULL(strtoul), PULL(strtoll), PULL(strtoull), PULL(strtod), PULL(strtof),
    PULL(getenv), PULL(setenv), PULL(rand), PULL(srand), PULL(random), PULL(srandom), PULL(abs), PULL(labs), PULL(div), PULL(ldiv),
    PULL(memcpy), PULL(memmove), PULL(memset), PULL(memcmp), PULL(memchr), PULL(strlen), PULL(strnlen), PULL(strcpy), PULL(strncpy),
    PULL(strcat), PULL(strncat), PULL(strcmp), PULL(strncmp), PULL(strcasecmp), PULL(strncasecmp), PULL(strchr), PULL(strrchr), PULL(strstr),
    PULL(strspn), PULL(strcspn), PULL(strpbrk), PULL(strtok), PULL(strtok_r), PULL(strdup), PULL(strndup), PULL(strerror), PULL(strcoll),
    PULL(isalpha), PULL(isdigit), PULL(isalnum), PULL(isspace), PULL(ispunct), PULL(isupper), PULL(islower), PULL(isprint), PULL(isxdigit),
    PULL(toupper), PULL(tolower),
    PULL(sin), PULL(cos), PULL(tan), PULL(asin), PULL(acos), PULL(atan), PULL(atan2), PULL(sinh), PULL(cosh), PULL(tanh), PULL(exp), PULL(exp2),
    PULL(log), PULL(log2), PULL(log10), PULL(pow), PULL(cbrt), PULL(hypot), PULL(fmod), PULL(round), PULL(lround), PULL(ldexp), PULL(frexp),
    PULL(modf), PULL(sinf), PULL(cosf), PULL(tanf), PULL(expf), PULL(logf), PULL(powf), PULL(fmodf), PULL(roundf), PULL(atan2f),
    PULL(time), PULL(difftime), PULL(gmtime), PULL(localtime), PULL(mktime), PULL(strftime), PULL(clock_gettime), PULL(nanosleep),
    PULL(usleep), PULL(sleep), PULL(read), PULL(write), PULL(close), PULL(lseek), PULL(mbstowcs), PULL(wcstombs), PULL(btowc), PULL(wcslen),
};

int main(int count, char **arguments) {
    functions[count % (sizeof functions / sizeof functions[0])]();
    return arguments == 0 || errno;
}
