//! A local Salesforce org that unmodified third-party clients work against.
