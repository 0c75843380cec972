// Eight kernels, each exported, each returning a checksum: calls, floating point in loops, structures, rotations, bytes, pointers, indirect calls, a switch.
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(#name))) uint32_t name

static uint32_t fibonacci(uint32_t n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
EXPORT(calls)(uint32_t n) { return fibonacci(n); }

#define SIDE 256
static double left[SIDE * SIDE], right[SIDE * SIDE], product[SIDE * SIDE];
EXPORT(matrix)(uint32_t times) {
    double sum = 0;
    for (int i = 0; i < SIDE * SIDE; i++) left[i] = i % 7, right[i] = i % 5;
    for (uint32_t time = 0; time < times; time++) {
        for (int i = 0; i < SIDE; i++) {
            for (int j = 0; j < SIDE; j++) product[i * SIDE + j] = 0;
            for (int k = 0; k < SIDE; k++)
                for (int j = 0; j < SIDE; j++) product[i * SIDE + j] += left[i * SIDE + k] * right[k * SIDE + j];
        }
        sum += product[time];
        left[time] += 1;
    }
    return (uint32_t)sum;
}

typedef struct { double place[3], speed[3], mass; } Body;
EXPORT(bodies)(uint32_t steps) {
    Body body[5] = {{{0, 0, 0}, {0, 0, 0}, 39.5}, {{4.8, -1.2, -0.1}, {0.6, 2.8, -0.02}, 0.04}, {{8.3, 4.1, -0.4}, {-1, 1.8, 0.01}, 0.01},
                    {{12.9, -15.1, -0.2}, {1.1, 0.9, -0.01}, 0.002}, {{15.4, -25.9, 0.2}, {1, 0.6, -0.03}, 0.002}};
    for (uint32_t step = 0; step < steps; step++) {
        for (int i = 0; i < 5; i++)
            for (int j = i + 1; j < 5; j++) {
                double way[3], square = 0;
                for (int axis = 0; axis < 3; axis++) way[axis] = body[i].place[axis] - body[j].place[axis], square += way[axis] * way[axis];
                double pull = 0.01 / (square * __builtin_sqrt(square));
                for (int axis = 0; axis < 3; axis++) {
                    body[i].speed[axis] -= way[axis] * body[j].mass * pull;
                    body[j].speed[axis] += way[axis] * body[i].mass * pull;
                }
            }
        for (int i = 0; i < 5; i++)
            for (int axis = 0; axis < 3; axis++) body[i].place[axis] += 0.01 * body[i].speed[axis];
    }
    return (uint32_t)(int32_t)(body[0].place[0] * 1e6);
}

#define ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))
EXPORT(rotations)(uint32_t blocks) {
    uint32_t state[8] = {1, 2, 3, 4, 5, 6, 7, 8}, word[64];
    for (uint32_t block = 0; block < blocks; block++) {
        for (int i = 0; i < 16; i++) word[i] = block * 0x9e3779b9u + (uint32_t)i;
        for (int i = 16; i < 64; i++) {
            uint32_t a = word[i - 15], b = word[i - 2];
            word[i] = word[i - 16] + (ROTATE(a, 7) ^ ROTATE(a, 18) ^ a >> 3) + word[i - 7] + (ROTATE(b, 17) ^ ROTATE(b, 19) ^ b >> 10);
        }
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
        for (int i = 0; i < 64; i++) {
            uint32_t one = h + (ROTATE(e, 6) ^ ROTATE(e, 11) ^ ROTATE(e, 25)) + ((e & f) ^ (~e & g)) + word[i];
            uint32_t two = (ROTATE(a, 2) ^ ROTATE(a, 13) ^ ROTATE(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
            h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e, state[5] += f, state[6] += g, state[7] += h;
    }
    return state[0] ^ state[7];
}

#define NUMBERS 2000000
static uint8_t is_prime[NUMBERS];
EXPORT(sieve)(uint32_t times) {
    uint32_t count = 0;
    for (uint32_t time = 0; time < times; time++) {
        for (uint32_t i = 2; i < NUMBERS; i++) is_prime[i] = 1;
        for (uint32_t i = 2; i * i < NUMBERS; i++)
            if (is_prime[i])
                for (uint32_t j = i * i; j < NUMBERS; j += i) is_prime[j] = 0;
        for (uint32_t i = 2; i < NUMBERS; i++) count += is_prime[i];
    }
    return count;
}

typedef struct Node { struct Node *left, *right; uint32_t value; } Node;
static Node nodes[1 << 17];
static uint32_t used;
static Node *grow(uint32_t depth) {
    Node *node = &nodes[used++];
    node->value = depth;
    node->left = depth ? grow(depth - 1) : 0;
    node->right = depth ? grow(depth - 1) : 0;
    return node;
}
static uint32_t total(const Node *node) { return node ? node->value + total(node->left) + total(node->right) : 0; }
EXPORT(trees)(uint32_t times) {
    uint32_t sum = 0;
    for (uint32_t time = 0; time < times; time++) used = 0, sum += total(grow(15));
    return sum;
}

typedef uint32_t (*Operation)(uint32_t, uint32_t);
static uint32_t add(uint32_t a, uint32_t b) { return a + b; }
static uint32_t mix(uint32_t a, uint32_t b) { return a ^ b; }
static uint32_t scale(uint32_t a, uint32_t b) { return a * b + 1; }
static uint32_t shift(uint32_t a, uint32_t b) { return (a << 3) - b; }
static Operation operations[4] = {add, mix, scale, shift};
EXPORT(indirect)(uint32_t times) {
    uint32_t value = 1;
    volatile Operation *table = operations;
    for (uint32_t time = 0; time < times; time++) value = table[value >> 7 & 3](value, time);
    return value;
}

EXPORT(interpreter)(uint32_t steps) {
    static const uint8_t code[16] = {0, 1, 2, 3, 4, 5, 1, 0, 2, 6, 3, 1, 4, 0, 5, 7};
    uint32_t a = 1, b = 2, c = 3, next = 0;
    for (uint32_t step = 0; step < steps; step++, next++) {
        switch (code[next & 15] ^ (a & 1 ? 0 : 1)) {
        case 0: a += b; break;
        case 1: b ^= c; break;
        case 2: c += a * 5; break;
        case 3: a = ROTATE(a, 1); break;
        case 4: b -= c; break;
        case 5: c ^= b << 2; break;
        case 6: a ^= c; break;
        default: next += a & 3;
        }
    }
    return a ^ b ^ c;
}

int main(void) { return 0; }
