#pragma once

#include <filesystem>
#include <vector>

namespace app {

/// Folders in which other programs of the kind keep GGUF files, in the order in which they are
/// looked through: Epitome's own, the Hugging Face hub's cache, LM Studio, GPT4All, Ollama,
/// llama.cpp. Only read, never written.
std::vector<std::filesystem::path> modelFolders(const std::filesystem::path& dataDirectory);

/// The reader that the program was delivered with. Throws engine::Error(NotFound).
std::filesystem::path embeddedModel();

} // namespace app
