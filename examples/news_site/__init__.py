"""A small news site whose articles have comment sections: threadstore inside an application. Read README.md beside this file."""
