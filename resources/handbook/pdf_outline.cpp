#include "resources/handbook/pdf_outline.h"

#include <QRegularExpression>
#include <QVarLengthArray>

#include <stdexcept>
#include <vector>

namespace handbook {

namespace {

/// What an incremental update has to know about the file it continues.
struct PdfFile
{
    qsizetype xrefOffset = 0;
    QList<qsizetype> objectOffsets; // by object number
    int catalogNumber = 0;
    QByteArray catalog; // its entries, without the brackets
    QByteArray info;    // the trailer's reference, may be empty
    QList<int> pages;   // object numbers
};

QRegularExpressionMatch find(const char* pattern, const QByteArray& text)
{
    static constexpr auto kOptions = QRegularExpression::DotMatchesEverythingOption;
    return QRegularExpression(QString::fromLatin1(pattern), kOptions)
        .match(QString::fromLatin1(text));
}

int intOf(const char* pattern, const QByteArray& text)
{
    const auto match = find(pattern, text);
    if (!match.hasMatch()) {
        throw std::runtime_error(std::string("The PDF has no ") + pattern);
    }
    return match.captured(1).toInt();
}

/// The text between `number 0 obj` and `endobj`.
QByteArray object(const QByteArray& pdf, const QList<qsizetype>& offsets, int number)
{
    if (number < 0 || number >= offsets.size()) {
        throw std::runtime_error("The PDF refers to an object that it does not have");
    }
    const qsizetype begin = offsets[number];
    const qsizetype end = pdf.indexOf("endobj", begin);
    if (end < 0) {
        throw std::runtime_error("An object of the PDF has no end");
    }
    return pdf.mid(begin, end - begin);
}

QList<qsizetype> readXref(const QByteArray& pdf, qsizetype xref, int size)
{
    constexpr int kEntryBytes = 20;
    qsizetype at = pdf.indexOf('\n', xref + 5) + 1; // behind "xref" and the line with the range
    QList<qsizetype> offsets;
    for (int i = 0; i < size; ++i, at += kEntryBytes) {
        offsets.push_back(pdf.mid(at, 10).toLongLong());
    }
    return offsets;
}

PdfFile readPdf(const QByteArray& pdf)
{
    PdfFile file;
    file.xrefOffset = intOf("startxref\\s+(\\d+)\\s+%%EOF\\s*$", pdf.right(64));
    if (pdf.mid(file.xrefOffset, 4) != "xref") {
        throw std::runtime_error("The PDF has no classic cross-reference table");
    }
    const QByteArray trailer = pdf.mid(pdf.lastIndexOf("trailer"));
    file.objectOffsets = readXref(pdf, file.xrefOffset, intOf("/Size (\\d+)", trailer));
    file.catalogNumber = intOf("/Root (\\d+) 0 R", trailer);
    const auto info = find("/Info \\d+ 0 R", trailer);
    file.info = info.hasMatch() ? info.captured(0).toLatin1() : QByteArray();

    const QByteArray catalog = object(pdf, file.objectOffsets, file.catalogNumber);
    const qsizetype open = catalog.indexOf("<<") + 2;
    file.catalog = catalog.mid(open, catalog.lastIndexOf(">>") - open).trimmed();

    const int root = intOf("/Pages (\\d+) 0 R", file.catalog);
    const auto kids = find("/Kids\\s*\\[(.*?)\\]", object(pdf, file.objectOffsets, root));
    static const QRegularExpression reference(QStringLiteral("(\\d+) 0 R"));
    auto references = reference.globalMatch(kids.captured(1));
    while (references.hasNext()) {
        file.pages.push_back(references.next().captured(1).toInt());
    }
    return file;
}

/// A text string in UTF-16 with its byte order mark, written in hexadecimal digits.
QByteArray textString(const QString& text)
{
    QByteArray bytes = QByteArrayLiteral("\xfe\xff");
    for (const QChar unit : text) {
        bytes.append(static_cast<char>(unit.unicode() >> 8));
        bytes.append(static_cast<char>(unit.unicode() & 0xff));
    }
    return '<' + bytes.toHex() + '>';
}

QByteArray reference(qsizetype number)
{
    return QByteArray::number(number) + " 0 R";
}

/// Where an outline entry hangs: indices into the list of entries, -1 for none (or, as a parent,
/// for the root).
struct Node
{
    qsizetype parent = -1;
    qsizetype previous = -1;
    qsizetype next = -1;
    qsizetype first = -1;
    qsizetype last = -1;
    int descendants = 0;
};

std::vector<Node> linkNodes(const QList<OutlineEntry>& entries)
{
    std::vector<Node> nodes(static_cast<std::size_t>(entries.size()) +
                            1); // the last one is the root
    const auto root = entries.size();
    const auto node = [&](qsizetype index) -> Node& {
        return nodes[static_cast<std::size_t>(index)];
    };
    QVarLengthArray<qsizetype> open{root};
    for (qsizetype i = 0; i < entries.size(); ++i) {
        if (entries[i].level < 0 || entries[i].level >= open.size()) {
            throw std::runtime_error(
                "An outline entry is more than one level below the one before");
        }
        open.resize(entries[i].level + 1);
        const qsizetype parent = open.back();
        node(i).parent = parent;
        node(i).previous = node(parent).last;
        if (node(parent).last >= 0) {
            node(node(parent).last).next = i;
        } else {
            node(parent).first = i;
        }
        node(parent).last = i;
        ++node(parent).descendants;
        open.push_back(i);
    }
    return nodes;
}

/// One outline item; `base` is the object number of the first entry, the root comes after the last.
QByteArray outlineItem(const OutlineEntry& entry, const Node& node, qsizetype base,
                       const QList<int>& pages)
{
    if (entry.pageIndex < 0 || entry.pageIndex >= pages.size()) {
        throw std::runtime_error("An outline entry points behind the last page");
    }
    QByteArray text = "<<\n/Title " + textString(entry.title);
    text += "\n/Dest [" + reference(pages[entry.pageIndex]) + " /XYZ 0 ";
    text += QByteArray::number(entry.top, 'f', 1) + " null]";
    const auto link = [&](const char* name, qsizetype index) {
        if (index >= 0) {
            text += '\n' + QByteArray(name) + ' ' + reference(base + index);
        }
    };
    link("/Parent", node.parent);
    link("/Prev", node.previous);
    link("/Next", node.next);
    link("/First", node.first);
    link("/Last", node.last);
    if (node.descendants > 0) {
        text += "\n/Count " + QByteArray::number(-node.descendants); // negative: closed at first
    }
    return text + "\n>>";
}

QByteArray labelTree(const QList<LabelRange>& labels)
{
    QByteArray text = "<< /Nums [";
    for (const LabelRange& range : labels) {
        text += ' ' + QByteArray::number(range.firstPage) + " << /S ";
        text += range.style == LabelStyle::LowerRoman ? "/r >>" : "/D >>";
    }
    return text + " ] >>";
}

} // namespace

QByteArray withOutline(const QByteArray& pdf, const QList<OutlineEntry>& entries,
                       const QList<LabelRange>& labels)
{
    const PdfFile file = readPdf(pdf);
    const std::vector<Node> nodes = linkNodes(entries);
    const qsizetype base = file.objectOffsets.size();
    const qsizetype root = base + entries.size();

    QByteArray out = pdf;
    QByteArray xref = "xref\n";
    const auto xrefLine = [&] {
        return QByteArray::number(out.size()).rightJustified(10, '0') + " 00000 n \n";
    };
    const auto add = [&](qsizetype number, const QByteArray& body) {
        xref += xrefLine();
        out += QByteArray::number(number) + " 0 obj\n" + body + "\nendobj\n";
    };

    xref += QByteArray::number(file.catalogNumber) + " 1\n";
    add(file.catalogNumber, "<<\n" + file.catalog + "\n/Outlines " + reference(root) +
                                "\n/PageMode /UseOutlines\n/PageLabels " + labelTree(labels) +
                                "\n>>");
    xref += QByteArray::number(base) + ' ' + QByteArray::number(entries.size() + 1) + '\n';
    for (qsizetype i = 0; i < entries.size(); ++i) {
        const Node& node = nodes[static_cast<std::size_t>(i)];
        add(base + i, outlineItem(entries[i], node, base, file.pages));
    }
    const Node& top = nodes.back();
    QByteArray outlines = "<<\n/Type /Outlines";
    if (top.first >= 0) {
        outlines += "\n/First " + reference(base + top.first);
        outlines += "\n/Last " + reference(base + top.last);
        outlines += "\n/Count " + QByteArray::number(top.descendants);
    }
    add(root, outlines + "\n>>");

    const QByteArray xrefOffset = QByteArray::number(out.size());
    out += xref + "trailer\n<<\n/Size " + QByteArray::number(root + 1) + "\n/Root ";
    out += reference(file.catalogNumber) + '\n' + file.info + "\n/Prev ";
    out += QByteArray::number(file.xrefOffset) + "\n>>\nstartxref\n" + xrefOffset + "\n%%EOF\n";
    return out;
}

} // namespace handbook
