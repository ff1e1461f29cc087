#pragma once

#include "engine/text/tokenizer.h"

#include <cstddef>
#include <string>
#include <vector>

namespace tests {

/// A sentence hidden in a long text: its beginning is asked for, what follows is the answer.
struct Needle
{
    std::string question; // with the beginning in quotation marks
    std::string answer;
    engine::ByteRange place; // of the whole sentence in the text
};

struct NeedleText
{
    std::string text;
    std::vector<Needle> needles; // in the order of the text
};

constexpr std::size_t kMostNeedles = 40;

/// Paragraphs of made-up sentences with `needles` sentences at even depths, the first at the very
/// beginning and the last at the very end. `paragraphs` stand between two needles. The same
/// arguments give the same text.
NeedleText makeNeedleText(std::size_t needles, std::size_t paragraphs);

} // namespace tests
