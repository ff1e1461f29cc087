#pragma once

#include "engine/engine.h"
#include "engine/gguf/gguf_writer.h"

#include <filesystem>
#include <functional>
#include <memory>

#include "resources/models/reader_weights.h"

namespace tests {

/// The constructed reader's file as the build makes it, for changing.
engine::GgufWriter readerWriter(const resources::ReaderVariant& variant = {});

/// Writes a model to a new file and loads it. The file is removed again; the mapped weights stay.
std::shared_ptr<engine::LoadedModel> loadWritten(const engine::GgufWriter& writer);

/// The constructed reader that declares a window of `window` tokens.
std::shared_ptr<engine::LoadedModel>
loadReaderWithWindow(std::uint32_t window, const resources::ReaderVariant& variant = {});

/// One with six layers in between whose heads mark quotations, for methods that select by the
/// attention of the last token.
std::shared_ptr<engine::LoadedModel> loadDeepReader(std::uint32_t window);

} // namespace tests
