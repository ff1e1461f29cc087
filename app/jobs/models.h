#pragma once

#include "engine/engine.h"

#include <filesystem>
#include <vector>

namespace app {

/// A model file that was found, whether it can be used or not.
struct FoundModel
{
    engine::ModelInfo info;
    bool embedded = false; // delivered with the program for texts of any length
};

/// The embedded reader and every GGUF file in the usual places, with the reason where one cannot be
/// used. Vision projectors and further parts of split files are left out; a file reached by two
/// paths is listed once. Never throws for a file that cannot be read: it is listed as not
/// supported.
std::vector<FoundModel> findModels(const std::filesystem::path& dataDirectory);

} // namespace app
