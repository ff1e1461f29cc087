#pragma once

#include "engine/engine.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace engine {

/// Prepares the same documents with many methods and budgets, and does once what is the same for
/// all of them. A method that scores tokens reads a document in the same way whatever its budget,
/// so the pieces that one preparation saves for the case that it is interrupted serve the next
/// budget; and until the scoring begins, it reads as `full` does. What comes out is what a
/// preparation alone makes, bit for bit, and so are its seconds: pieces know what they took.
class SharedReadings
{
public:
    /// mostBytes: pieces are kept up to this; what is beyond is read again.
    explicit SharedReadings(std::shared_ptr<LoadedModel> model,
                            std::uint64_t mostBytes = std::uint64_t{2} << 30);

    /// Lets go of the pieces of other texts than those of `length` tokens.
    void beginLength(std::uint64_t length);

    /// The context of a text. Pieces are kept for `full` and for the method named last. onProgress
    /// may be empty. Throws what Preparation throws.
    std::shared_ptr<const Context>
    prepare(const std::string& text, const PrepareOptions& options,
            const std::function<void(const PrepareProgress&)>& onProgress);

private:
    using Pieces = std::vector<std::vector<std::byte>>;
    struct Reading
    {
        std::size_t plain = 0; // pieces of the plain reading that come before its own
        Pieces own;
    };
    struct Begun
    {
        std::unique_ptr<Preparation> preparation;
        std::size_t plain = 0; // pieces of the plain reading that it took over
    };

    Begun begin(const std::string& text, const PrepareOptions& options) const;
    const Reading* find(const std::string& method, const std::string& text) const;
    /// Lets go of all but this method's readings and the plain ones.
    void forgetOthers(const std::string& method);

    std::shared_ptr<LoadedModel> m_model;
    std::uint64_t m_mostBytes;
    std::uint64_t m_length = 0;
    std::uint64_t m_bytes = 0;
    std::map<std::string, std::map<std::string, Reading>> m_readings; // by method, by text
};

} // namespace engine
