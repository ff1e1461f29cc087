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

/// Who reads a text, and what decides what is kept.
struct ModelAndMethod
{
    std::filesystem::path model;
    std::string method;
};

/// How to prepare a text with what was `chosen`; what is empty was left open. A model and a method
/// that were chosen stay. Without a model the trained reader reads, and with the method
/// "activation-beacon" the one that has beacons. Without a method the trained reader keeps a text
/// whole ("full") that fits a quarter of its window, and reads a longer one in windows of that size
/// ("parallel-windows"), from which it answers better; the one with beacons uses them, other models
/// use the engine's usual method, and read in windows what does not fit theirs with room for a
/// conversation. Another method for such a text, without a model, takes embeddedModel(),
/// which also reads where the trained reader is missing or damaged. Throws engine::Error(NotFound)
/// as embeddedModel() does.
ModelAndMethod usualPreparation(const ModelAndMethod& chosen, std::string_view text);

/// A stored choice that still holds: where the program has moved and the choice was a reader of its
/// own, that reader's place now.
std::filesystem::path movedModel(const std::filesystem::path& chosen);

/// What can be asked of a reader that the program was delivered with, and how to get further, in
/// one sentence; empty for any other model.
std::string readerLimits(const std::filesystem::path& model);

} // namespace app
