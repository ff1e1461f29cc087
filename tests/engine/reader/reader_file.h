#pragma once

#include "engine/gguf/gguf_file.h"
#include "engine/text/tokenizer.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace tests {

/// The constructed reader as the build wrote it.
std::shared_ptr<const engine::GgufFile> readerFile();

/// Its tokenizer, opened once.
const engine::Tokenizer& readerTokenizer();

/// Token ids of plain text, without the begin mark.
std::vector<std::int32_t> readerTokens(std::string_view text);

} // namespace tests
