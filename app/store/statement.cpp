#include "app/store/statement.h"

#include "app/store/sqlite_error.h"
#include "engine/error.h"

#include <sqlite3.h>

namespace app {

void Statement::Finalize::operator()(sqlite3_stmt* statement) const
{
    sqlite3_finalize(statement);
}

Statement::Statement(sqlite3* handle, std::string_view sql)
    : m_handle(handle)
{
    sqlite3_stmt* statement = nullptr;
    check(
        sqlite3_prepare_v2(handle, sql.data(), static_cast<int>(sql.size()), &statement, nullptr));
    m_statement.reset(statement);
}

bool Statement::step()
{
    const int code = sqlite3_step(m_statement.get());
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        fail(code);
    reset();
    return false;
}

void Statement::run()
{
    while (step()) {
    }
}

std::int64_t Statement::integer(int column) const
{
    return sqlite3_column_int64(m_statement.get(), column);
}

std::size_t Statement::size(int column) const
{
    const std::int64_t value = integer(column);
    if (value < 0)
        fail(SQLITE_CORRUPT);
    return static_cast<std::size_t>(value);
}

double Statement::real(int column) const
{
    return sqlite3_column_double(m_statement.get(), column);
}

std::string Statement::text(int column) const
{
    const auto view = bytes(column);
    return {reinterpret_cast<const char*>(view.data()), view.size()};
}

std::span<const std::byte> Statement::bytes(int column) const
{
    const void* data = sqlite3_column_blob(m_statement.get(), column);
    const int size = sqlite3_column_bytes(m_statement.get(), column);
    if (data == nullptr && sqlite3_errcode(m_handle) == SQLITE_NOMEM)
        fail(SQLITE_NOMEM);
    return {static_cast<const std::byte*>(data), static_cast<std::size_t>(size)};
}

void Statement::reset()
{
    sqlite3_reset(m_statement.get()); // repeats the code of the last step, already reported
}

void Statement::bindNull(int index)
{
    check(sqlite3_bind_null(m_statement.get(), index));
}

void Statement::bindInteger(int index, std::int64_t value)
{
    check(sqlite3_bind_int64(m_statement.get(), index, value));
}

void Statement::bindReal(int index, double value)
{
    check(sqlite3_bind_double(m_statement.get(), index, value));
}

void Statement::bindText(int index, std::string_view value)
{
    // A null pointer would bind NULL, which is not the empty text.
    const char* data = value.data() != nullptr ? value.data() : "";
    check(sqlite3_bind_text64(m_statement.get(), index, data, value.size(), SQLITE_TRANSIENT,
                              SQLITE_UTF8));
}

void Statement::bindBytes(int index, std::span<const std::byte> value)
{
    if (value.empty())
        check(sqlite3_bind_zeroblob(m_statement.get(), index, 0));
    else
        check(sqlite3_bind_blob64(m_statement.get(), index, value.data(), value.size(),
                                  SQLITE_STATIC));
}

void Statement::check(int code) const
{
    if (code != SQLITE_OK)
        fail(code);
}

void Statement::fail(int code) const
{
    const char* file = sqlite3_db_filename(m_handle, "main");
    throwSqliteError(m_handle, code, file != nullptr ? file : "");
}

} // namespace app
