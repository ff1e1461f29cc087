#pragma once

#include "engine/gguf/gguf_cursor.h"
#include "engine/gguf/gguf_parser.h"

namespace engine {

/// Reads metadata values at a cursor and keeps count of the array elements of the whole file.
class GgufValueReader
{
public:
    explicit GgufValueReader(GgufCursor& cursor)
        : m_cursor(cursor)
    {}

    /// Errors name the cursor's field.
    GgufValue read(GgufValueType type);

private:
    GgufArray readArray();
    template <typename Stored, typename Widened>
    std::vector<Widened> readNumbers(std::uint64_t count);
    std::vector<std::uint64_t> readBools(std::uint64_t count);
    std::vector<std::string> readStrings(std::uint64_t count);
    std::uint64_t readBool();

    GgufCursor& m_cursor;
    std::uint64_t m_arrayElements = 0;
};

} // namespace engine
