#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace engine {

enum class ErrorCode
{
    BadInput,    // the caller asked for something that does not exist or makes no sense
    NotFound,    // a file, document, context or tensor is not there
    Unsupported, // a valid file of a kind this program does not know
    Damaged,     // a file contradicts itself
    Mismatch,    // a context belongs to another model, tokenizer, document or version
    TooLarge,    // over a stated limit: model window, archive size, page count
    OutOfMemory,
    DiskFull,
    ReadOnly,
    InUse, // another instance holds the data directory
    Cancelled,
    Internal
};

/// Ends one operation, not the program.
/// `what()` is one sentence for a person that names the thing and the way out;
/// `detail()` is for the log and may be empty.
class Error : public std::runtime_error
{
public:
    Error(ErrorCode code, const std::string& sentence, std::string detail = {})
        : std::runtime_error(sentence)
        , m_code(code)
        , m_detail(std::move(detail))
    {}

    ErrorCode code() const { return m_code; }
    const std::string& detail() const { return m_detail; }

private:
    ErrorCode m_code;
    std::string m_detail;
};

} // namespace engine
