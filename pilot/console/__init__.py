"""The UI-free side of consoles: what guest bytes may reach a terminal, and which keys mean leave."""
