//! SOQL: lexer, parser, AST, printer and diagnostics. Pure: no IO.
