#include "ui/text_format.h"

#include <QLocale>
#include <QStringList>

#include <array>

namespace ui {
namespace {

QString number(std::int64_t value)
{
    return QLocale(QLocale::English).toString(static_cast<qlonglong>(value));
}

QString jobText(const app::JobRecord& job, const QString& progress)
{
    switch (job.state) {
    case app::JobState::Waiting:
        return QStringLiteral("Waiting");
    case app::JobState::Running:
        return progress.isEmpty() ? QStringLiteral("Reading") : progress;
    case app::JobState::Paused:
        return QStringLiteral("Paused at %1 %").arg(job.progress * 100, 0, 'f', 0);
    case app::JobState::Failed:
        return QStringLiteral("Failed: ") + QString::fromStdString(job.error);
    case app::JobState::Done:
    case app::JobState::Cancelled:
        break;
    }
    return {};
}

/// Nothing for the method that is used where none is chosen.
QString methodText(const std::string& method)
{
    return method == engine::PrepareOptions{}.method
               ? QString()
               : QStringLiteral(" (%1)").arg(QString::fromStdString(method));
}

} // namespace

QString bytesText(std::uint64_t bytes)
{
    constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit)
        value /= 1024;
    return QStringLiteral("%1 %2")
        .arg(value, 0, 'f', unit == 0 || value >= 100 ? 0 : 1)
        .arg(QLatin1String(kUnits.at(unit)));
}

QString documentStateText(const app::DocumentRow& row, const QString& progress)
{
    QString text =
        row.document.pages == 1
            ? QStringLiteral("1 page")
            : QStringLiteral("%1 pages").arg(number(static_cast<qint64>(row.document.pages)));
    const QString state =
        row.job       ? jobText(*row.job, progress)
        : row.context ? QStringLiteral("Ready%1, kept %2 %, %3")
                            .arg(methodText(row.context->method))
                            .arg(row.context->keptFraction * 100, 0, 'f', 0)
                            .arg(bytesText(static_cast<std::uint64_t>(row.context->bytesStored)))
                      : QStringLiteral("Not prepared");
    text += QStringLiteral(" · ") + state;
    if (row.document.pagesWithoutText > 0)
        text += QStringLiteral(" · ") + QString::fromStdString(row.document.stateText);
    return text;
}

QString factsText(const app::AnswerFacts& facts)
{
    QStringList parts{QStringLiteral("re-read %1 of %2 tokens")
                          .arg(number(facts.tokensReread), number(facts.tokensInContext))};
    // An empty answer has no first word and no speed.
    if (facts.tokensGenerated > 0)
        parts << (facts.firstTokenSeconds < 0.05
                      ? QStringLiteral("first word under 0.1 s")
                      : QStringLiteral("first word %1 s").arg(facts.firstTokenSeconds, 0, 'f', 1));
    if (facts.tokensGenerated > 1)
        parts << QStringLiteral("%1 t/s").arg(facts.tokensPerSecond, 0, 'f',
                                              facts.tokensPerSecond < 10 ? 1 : 0);
    parts << QString::fromStdString(facts.device);
    return parts.join(QStringLiteral(" · "));
}

QString pageText(const std::string& label, std::size_t index, std::size_t count)
{
    const QString place = QStringLiteral("page %1 of %2").arg(index + 1).arg(count);
    const QString shown = QString::fromStdString(label);
    return shown == QString::number(index + 1) || shown.isEmpty()
               ? place
               : QStringLiteral("%1 (%2)").arg(shown, place);
}

} // namespace ui
