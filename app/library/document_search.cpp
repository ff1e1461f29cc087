#include "app/library/document_search.h"

#include <algorithm>

namespace app {
namespace {

constexpr std::size_t kLongestQuery = 2000; // bytes

bool isWordByte(char c)
{
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z');
}

bool endsTerm(char c, bool inPhrase)
{
    return c == '"' || (!inPhrase && static_cast<unsigned char>(c) <= ' ');
}

} // namespace

std::string searchExpression(std::string_view query)
{
    query = query.substr(0, kLongestQuery);
    std::string expression;
    bool inPhrase = false;
    bool lastIsWord = false;
    std::size_t position = 0;
    while (position < query.size()) {
        const auto begin = query.begin() + static_cast<std::ptrdiff_t>(position);
        const auto end =
            std::find_if(begin, query.end(), [&](char c) { return endsTerm(c, inPhrase); });
        std::string term(begin, end);
        std::ranges::replace_if(
            term, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
        position = static_cast<std::size_t>(end - query.begin());
        if (std::ranges::any_of(term, isWordByte)) {
            expression += (expression.empty() ? "\"" : " AND \"") + term + '"';
            lastIsWord = !inPhrase && position == query.size() && isWordByte(term.back());
        }
        if (position < query.size() && query[position] == '"')
            inPhrase = !inPhrase;
        ++position;
    }
    return lastIsWord ? expression + '*' : expression;
}

std::vector<SearchHit> searchPages(const Database& library, std::string_view query,
                                   RecordId documentId, std::size_t limit)
{
    const std::string expression = searchExpression(query);
    if (expression.empty())
        return {};
    Statement row = library.prepare(
        "SELECT page.document, page.ordinal, page.label, "
        "snippet(page_text, 0, char(2), char(3), '\u2026', 24) "
        "FROM page_text JOIN page ON page.id = page_text.rowid "
        "JOIN document ON document.id = page.document "
        "WHERE page_text MATCH ?1 AND document.visible = 1 AND (?2 = 0 OR page.document = ?2) "
        "ORDER BY page_text.rank LIMIT ?3");
    row.bind(expression, documentId, limit);
    std::vector<SearchHit> hits;
    while (row.step())
        hits.push_back({row.integer(0), row.size(1), row.text(2), row.text(3)});
    return hits;
}

} // namespace app
