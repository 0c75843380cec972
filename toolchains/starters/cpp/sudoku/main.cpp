// Reads a sudoku, nine lines of nine digits with '.' for what is not known, and solves it.
#include <array>
#include <bit>
#include <iostream>
#include <string>

class Sudoku {
public:
    // False when the digit is there already in its row, column or box.
    bool put(int cell, int digit) {
        unsigned bit = 1u << digit;
        if ((taken(cell)) & bit) return false;
        digits[cell] = digit;
        flip(cell, bit);
        return true;
    }

    // Fills the cell that has the fewest choices, and takes the digit back when that leads nowhere.
    bool solve() {
        int best = -1, fewest = 10;
        for (int cell = 0; cell < 81; cell++)
            if (digits[cell] == 0)
                if (int choices = 9 - std::popcount(taken(cell)); choices < fewest) best = cell, fewest = choices;
        if (best < 0) return true;
        for (int digit = 1; digit <= 9; digit++) {
            if (!put(best, digit)) continue;
            tries++;
            if (solve()) return true;
            flip(best, 1u << digit);
            digits[best] = 0;
        }
        return false;
    }

    friend std::ostream &operator<<(std::ostream &out, const Sudoku &sudoku) {
        for (int cell = 0; cell < 81; cell++) {
            if (cell == 27 || cell == 54) out << "------+-------+------\n";
            out << sudoku.digits[cell] << (cell % 9 == 8 ? "\n" : cell % 3 == 2 ? " | " : " ");
        }
        return out;
    }

    int tries = 0;

private:
    static int box(int cell) { return cell / 27 * 3 + cell % 9 / 3; }
    unsigned taken(int cell) const { return rows[cell / 9] | columns[cell % 9] | boxes[box(cell)]; }
    void flip(int cell, unsigned bit) { rows[cell / 9] ^= bit, columns[cell % 9] ^= bit, boxes[box(cell)] ^= bit; }

    std::array<int, 81> digits{};
    std::array<unsigned, 9> rows{}, columns{}, boxes{};
};

int main() {
    Sudoku sudoku;
    int cell = 0;
    for (char c; cell < 81 && std::cin >> c;) {
        if (c != '.' && (c < '0' || c > '9')) continue;
        if (c > '0' && !sudoku.put(cell, c - '0')) {
            std::cerr << "line " << cell / 9 + 1 << ": the " << c << " is there twice\n";
            return 1;
        }
        cell++;
    }
    if (cell < 81) return std::cerr << "81 cells are needed, there are " << cell << "\n", 1;
    if (!sudoku.solve()) return std::cerr << "there is no solution\n", 1;
    std::cout << sudoku << sudoku.tries << " digits tried\n";
}
