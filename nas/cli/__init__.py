"""The commands of `nas`: each parses, calls the library, prints. No logic of their own."""
