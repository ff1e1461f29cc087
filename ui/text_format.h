#pragma once

#include "app/session/session.h"

#include <QString>

namespace ui {

/// "1.3 GiB", "410 KiB".
QString bytesText(std::uint64_t bytes);

/// The second line of a document in the library: pages, and what state it is in.
/// `progress` is the text of a running job, empty without one.
QString documentStateText(const app::DocumentRow& row, const QString& progress);

/// "re-read 0 of 12,345 tokens · first word 0.2 s · 40 t/s · CPU, 2 threads".
QString factsText(const app::AnswerFacts& facts);

/// "iv (page 4 of 160)", or "page 4 of 160" when label and number say the same.
QString pageText(const std::string& label, std::size_t index, std::size_t count);

} // namespace ui
