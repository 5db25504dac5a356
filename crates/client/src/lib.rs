//! The Salesforce SDK: requests as values, one cloneable client, event subscriptions.
