#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace app {

/// Folders in which other programs of the kind keep GGUF files, in the order in which they are
/// looked through: Epitome's own, the Hugging Face hub's cache, LM Studio, GPT4All, Ollama,
/// llama.cpp. Only read, never written.
std::vector<std::filesystem::path> modelFolders(const std::filesystem::path& dataDirectory);

/// The reader that the program was delivered with for texts of any length. Throws
/// engine::Error(NotFound).
std::filesystem::path embeddedModel();

/// How a text is prepared where nobody has chosen.
struct UsualPreparation
{
    std::filesystem::path model;
    std::string method;
};

/// A text that fits the trained reader's window, with room for questions, is read by it and kept
/// whole; others by embeddedModel() with the engine's usual method. Throws engine::Error(NotFound).
UsualPreparation usualPreparation(std::string_view text);

/// What can be asked of a reader that the program was delivered with, and how to get further, in
/// one sentence; empty for any other model.
std::string readerLimits(const std::filesystem::path& model);

} // namespace app
