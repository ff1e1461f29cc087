#include "resources/handbook/typography.h"

#include <QGuiApplication>
#include <QScreen>
#include <QTextBlock>
#include <QTextCursor>
#include <QTextDocument>
#include <QTextTable>

#include <algorithm>
#include <array>

namespace handbook {

namespace {

QFont font(const QStringList& families, QFont::StyleHint hint, double points)
{
    QFont result;
    result.setFamilies(families);
    result.setStyleHint(hint);
    result.setPointSizeF(points);
    result.setLetterSpacing(QFont::AbsoluteSpacing, 0.02); // any spacing turns ligatures off
    return result;
}

struct BlockStyle
{
    QFont font;
    QColor colour = kInk;
    double above = 0; // points
    double below = 0;
    int lineHeight = 0; // percent, 0 for that of the body
};

QTextTable* tableOf(const QTextBlock& block)
{
    return QTextCursor(block).currentTable();
}

BlockStyle headingStyle(int level)
{
    constexpr std::array kSizes{25.0, 15.0, 12.0};
    const auto index = static_cast<std::size_t>(std::clamp(level, 1, 3) - 1);
    BlockStyle style{.font = sansFont(kSizes[index]), .colour = kAccent, .lineHeight = 112};
    style.font.setBold(true);
    style.above = level == 1 ? 0 : 14;
    style.below = level == 1 ? 20 : 5;
    return style;
}

BlockStyle styleOf(const QTextBlock& block)
{
    if (block.blockFormat().headingLevel() > 0) {
        return headingStyle(block.blockFormat().headingLevel());
    }
    if (isCode(block)) {
        return {.font = monoFont(7.7),
                .above = isCode(block.previous()) ? 0.0 : 9.0,
                .below = isCode(block.next()) ? 0.0 : 15.0,
                .lineHeight = 130};
    }
    if (tableOf(block) != nullptr) {
        return {.font = sansFont(10), .lineHeight = 112};
    }
    if (block.textList() != nullptr) {
        return {.font = serifFont(kBodySize), .below = 3};
    }
    return {.font = serifFont(kBodySize), .below = 7.5};
}

void styleBlock(const QTextBlock& block, int lineHeight, double unitsPerPoint)
{
    const BlockStyle style = styleOf(block);
    QTextBlockFormat format = block.blockFormat();
    format.setTopMargin(points(style.above));
    format.setBottomMargin(points(style.below));
    format.setLineHeight(style.lineHeight > 0 ? style.lineHeight : lineHeight,
                         QTextBlockFormat::ProportionalHeight);
    if (isCode(block)) {
        format.setNonBreakableLines(false);
        format.setLeftMargin(kCodeInset * unitsPerPoint); // Qt scales vertical margins only
    }
    QTextCursor(block).setBlockFormat(format);
}

void styleText(const QTextBlock& block)
{
    const BlockStyle style = styleOf(block);
    struct Piece
    {
        int position = 0;
        int length = 0;
        QTextCharFormat format;
    };
    QList<Piece> pieces;
    for (auto it = block.begin(); !it.atEnd(); ++it) {
        const QTextCharFormat old = it.fragment().charFormat();
        QFont font = style.font;
        if (old.fontFixedPitch() && !isCode(block)) {
            font = monoFont(style.font.pointSizeF() * 0.86);
        }
        font.setBold(style.font.bold() || old.fontWeight() > QFont::Medium);
        font.setItalic(old.fontItalic());
        QTextCharFormat format;
        format.setFont(font);
        format.setForeground(style.colour);
        pieces.push_back({it.fragment().position(), it.fragment().length(), format});
    }
    for (const Piece& piece : pieces) {
        QTextCursor cursor(block);
        cursor.setPosition(piece.position);
        cursor.setPosition(piece.position + piece.length, QTextCursor::KeepAnchor);
        cursor.setCharFormat(piece.format);
    }
    if (pieces.isEmpty()) { // an empty line of code is as high as the others
        QTextCharFormat format;
        format.setFont(style.font);
        QTextCursor(block).setBlockCharFormat(format);
    }
}

void styleTable(QTextTable& table)
{
    QTextTableFormat format = table.format();
    format.setWidth(QTextLength(QTextLength::PercentageLength, 100));
    format.setBorder(0);
    format.setBorderCollapse(true);
    format.setCellSpacing(0);
    format.setCellPadding(points(3.2));
    format.setTopMargin(points(4));
    format.setBottomMargin(points(12));
    format.setHeaderRowCount(1);
    table.setFormat(format);
    for (int row = 0; row < table.rows(); ++row) {
        for (int column = 0; column < table.columns(); ++column) {
            QTextTableCell cell = table.cellAt(row, column);
            QTextTableCellFormat cellFormat;
            cellFormat.setBottomBorder(row == 0 ? 1.2 : 0.5);
            cellFormat.setBottomBorderStyle(QTextFrameFormat::BorderStyle_Solid);
            cellFormat.setBottomBorderBrush(row == 0 ? kAccent : QColor(0xcd, 0xd4, 0xd3));
            cell.setFormat(cellFormat);
        }
    }
}

} // namespace

QFont serifFont(double points)
{
    return font({QStringLiteral("Caladea"), QStringLiteral("DejaVu Serif")}, QFont::Serif, points);
}

QFont sansFont(double points)
{
    return font({QStringLiteral("Carlito"), QStringLiteral("DejaVu Sans")}, QFont::SansSerif,
                points);
}

QFont monoFont(double points)
{
    return font({QStringLiteral("DejaVu Sans Mono")}, QFont::Monospace, points);
}

bool isCode(const QTextBlock& block)
{
    return block.isValid() && block.blockFormat().hasProperty(QTextFormat::BlockCodeFence);
}

double points(double value)
{
    constexpr double kPointsPerInch = 72.0;
    return value * QGuiApplication::primaryScreen()->logicalDotsPerInchY() / kPointsPerInch;
}

void applyTypography(QTextDocument& document, int lineHeight, double unitsPerPoint)
{
    QList<QTextTable*> tables;
    for (QTextBlock block = document.begin(); block.isValid(); block = block.next()) {
        if (QTextTable* table = tableOf(block); table != nullptr && !tables.contains(table)) {
            tables.push_back(table);
        }
    }
    for (QTextTable* table : tables) {
        styleTable(*table);
    }
    for (QTextBlock block = document.begin(); block.isValid(); block = block.next()) {
        styleBlock(block, lineHeight, unitsPerPoint);
        styleText(block);
    }
}

} // namespace handbook
