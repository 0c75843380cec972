// A page with a month on it. ?year=2026&month=11 chooses which one; the links lead to the months around it.
#include <chrono>
#include <cstdlib>
#include <format>
#include <iostream>
#include <string>
#include <string_view>

using namespace std::chrono;

// The number behind "name=" in the query string.
static int option(std::string_view name, int otherwise) {
    const char *text = std::getenv("QUERY_STRING");
    std::string_view query = text ? text : "";
    while (!query.empty()) {
        auto end = query.find('&');
        auto part = query.substr(0, end);
        if (part.starts_with(name) && part.substr(name.size()).starts_with('='))
            return std::atoi(std::string(part.substr(name.size() + 1)).c_str());
        query = end == query.npos ? "" : query.substr(end + 1);
    }
    return otherwise;
}

static std::string link(year_month to, std::string_view words) {
    return std::format("<a href='?year={}&amp;month={}'>{}</a>", int(to.year()), unsigned(to.month()), words);
}

int main() {
    static constexpr const char *names[] = {"January", "February", "March", "April", "May", "June",
                                            "July", "August", "September", "October", "November", "December"};
    year_month_day today{floor<days>(system_clock::now())};
    year_month shown{year{option("year", int(today.year()))}, month(option("month", unsigned(today.month())))};
    if (!shown.ok() || shown.year() < year{1} || shown.year() > year{9999}) shown = today.year() / today.month();

    std::cout << "Content-Type: text/html; charset=utf-8\r\n\r\n"
                 "<!doctype html><meta name=viewport content='width=device-width'><title>Calendar</title>"
                 "<style>:root{color-scheme:light dark}body{font:17px system-ui;max-width:26rem;margin:2rem auto;padding:0 1rem}"
                 "table{width:100%;border-collapse:collapse}td,th{padding:.5rem 0;text-align:center}th{opacity:.6;font-weight:500}"
                 "td.today{background:#178a5e;color:#fff;border-radius:.4rem}header{display:flex;justify-content:space-between;align-items:baseline}"
                 "a{color:inherit}</style>";
    std::cout << "<header>" << link(shown - months{1}, "&larr; before")
              << std::format("<h1>{} {}</h1>", names[unsigned(shown.month()) - 1], int(shown.year()))
              << link(shown + months{1}, "after &rarr;") << "</header><table><tr>";
    for (auto day : {"Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"}) std::cout << "<th>" << day;

    std::cout << "<tr>";
    unsigned column = weekday{sys_days{shown / 1}}.iso_encoding() - 1;
    if (column > 0) std::cout << std::format("<td colspan={}>", column);
    unsigned last = unsigned((shown / std::chrono::last).day());
    for (unsigned day = 1; day <= last; day++, column++) {
        if (column == 7) std::cout << "<tr>", column = 0;
        std::cout << (shown / std::chrono::day{day} == today ? "<td class=today>" : "<td>") << day;
    }
    std::cout << "</table>\n";
    std::clog << "drew " << last << " days\n";
}
