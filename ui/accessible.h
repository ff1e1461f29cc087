#pragma once

#include <QString>
#include <QWidget>

namespace ui {

/// Gives a widget the name that a screen reader says, and the same as a tooltip when it has none.
inline void nameWidget(QWidget* widget, const QString& name)
{
    widget->setAccessibleName(name);
    if (widget->toolTip().isEmpty())
        widget->setToolTip(name);
}

/// A tooltip that shows text from outside as it is: Qt would take some of it for markup.
inline QString plainToolTip(const QString& text)
{
    return QStringLiteral("<qt>%1</qt>")
        .arg(text.toHtmlEscaped().replace(u'\n', QStringLiteral("<br>")));
}

/// Text from outside as the label of an action, in which '&' would mark a key.
inline QString plainLabel(QString text)
{
    return text.replace(u'&', QStringLiteral("&&"));
}

} // namespace ui
