#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

struct sqlite3;
struct sqlite3_stmt;

namespace app {

/// One prepared SQL statement. Made by Database::prepare; must not outlive the database.
/// Every function may throw the engine::Error of throwSqliteError.
class Statement
{
public:
    Statement(sqlite3* handle, std::string_view sql);

    /// Binds all parameters from ?1 on, resetting the statement first. Integers, floating-point
    /// numbers, text, bytes and nullptr are understood. Text is copied, bytes are not: they must
    /// live until the next bind or the end of the statement.
    template <typename... Values>
    Statement& bind(const Values&... values)
    {
        reset();
        int index = 0;
        (bindOne(++index, values), ...);
        return *this;
    }

    /// Moves to the next row; false at the end, after which the statement is reset.
    bool step();
    /// For statements that return no row.
    void run();

    std::int64_t integer(int column) const;
    std::size_t size(int column) const; // an integer; negative values are Damaged
    double real(int column) const;
    std::string text(int column) const;
    /// Valid until the next step.
    std::span<const std::byte> bytes(int column) const;

private:
    struct Finalize
    {
        void operator()(sqlite3_stmt* statement) const;
    };

    void reset();
    template <typename Value>
    void bindOne(int index, const Value& value)
    {
        if constexpr (std::is_same_v<Value, std::nullptr_t>)
            bindNull(index);
        else if constexpr (std::is_integral_v<Value> || std::is_enum_v<Value>)
            bindInteger(index, static_cast<std::int64_t>(value));
        else if constexpr (std::is_floating_point_v<Value>)
            bindReal(index, static_cast<double>(value));
        else if constexpr (std::is_convertible_v<const Value&, std::string_view>)
            bindText(index, value);
        else
            bindBytes(index, std::as_bytes(std::span(value)));
    }
    void bindNull(int index);
    void bindInteger(int index, std::int64_t value);
    void bindReal(int index, double value);
    void bindText(int index, std::string_view value);
    void bindBytes(int index, std::span<const std::byte> value);
    void check(int code) const;
    [[noreturn]] void fail(int code) const;

    sqlite3* m_handle;
    std::unique_ptr<sqlite3_stmt, Finalize> m_statement;
};

} // namespace app
