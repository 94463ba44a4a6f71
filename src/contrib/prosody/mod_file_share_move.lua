-- prosodyctl mod_file_share_move HOST: uploads the files that mod_http_file_share of this component has stored to its
-- http_file_share_base_url. Each file keeps its path, type, uploader and expiry.
-- Prints the status and URL of each file; 201 is moved, 409 was there already. If a file was not
-- moved, the command says how many there are, and ends with 1. Deletes and overwrites no file.

local config = require "core.configmanager";
local dm = require "util.datamanager";
local jwt = require "util.jwt";
local lfs = require "lfs";
local storage = require "core.storagemanager";
local time = require "util.time";
local urlencode = require "util.http".urlencode;

local is_terminal = require "util.pposix".isatty(io.stderr);
local day = 24 * 60 * 60;

-- Options of curl for one upload. They go into a file, because other users can read the token in a command line.
local transfer = [[
url = "%s"
upload-file = "%s"
header = "Authorization: Bearer %s"
output = "/dev/null"
write-out = "%%{http_code} %%{url} %%{size_upload}\n"
silent
show-error
]];

-- Returns the transfers, and how many files there are. Clients resolve "." and ".." in a URL, so none leads to a file of
-- that name: this prints them.
local function find_transfers(host, base_url, secret)
	local expires_after = config.get(host, "http_file_share_expires_after") or 7 * day;
	local now = os.time();
	local transfers, total = {}, 0;
	storage.initialize_host(host);
	for slot, request, issued_at, uploader in assert(storage.open(host, "uploads", "archive"):find()) do
		local file = dm.getpath(slot, host, "http_file_share", "bin");
		local expires = expires_after >= 0 and issued_at + expires_after or nil;
		if lfs.attributes(file) and (not expires or expires > now) then
			local name = request.attr.filename;
			local token = jwt.sign(secret, {
				sub = uploader, slot = slot, filename = name, filesize = tonumber(request.attr.size),
				filetype = request.attr["content-type"], expires = expires, iat = now, exp = now + day,
			});
			local url = base_url:gsub("/$", "").."/"..urlencode(slot).."/"..urlencode(name);
			total = total + 1;
			if name == "." or name == ".." then
				print(("not moved: %s. No URL can end with this name."):format(url));
			else
				table.insert(transfers, transfer:format(url, file, token));
			end
		end
	end
	return transfers, total;
end

-- Starts curl on these transfers; the returned handle reads its output. The shell removes the file with the tokens
-- before curl uploads the first file. os.tmpname makes it readable for this user only.
local function start_curl(transfers)
	local name = os.tmpname();
	local file = assert(io.open(name, "w"));
	assert(file:write(table.concat(transfers, "next\n")));
	assert(file:close());
	return io.popen(("exec <%s; rm %s; exec curl --config -"):format(name, name));
end

-- Shows on a terminal how far the move is, in one line that each call replaces. No text removes the line.
local function show_progress(text)
	if is_terminal then io.stderr:write("\r\27[K", text or ""); end
end

-- Returns how many files are at their new place.
local function move(transfers)
	local started, done, in_place, bytes = time.now(), 0, 0, 0;
	local curl = start_curl(transfers);
	show_progress(("0 of %d files"):format(#transfers));
	for line in curl:lines() do
		local result, size = line:match("^(.*) (%d+)$");
		done, bytes = done + 1, bytes + size;
		if result:match("^201 ") or result:match("^409 ") then in_place = in_place + 1; end
		local mb = bytes / 1e6;
		show_progress();
		print(result);
		show_progress(("%d of %d files, %.2f MB, %.2f MB/s"):format(done, #transfers, mb, mb / (time.now() - started)));
	end
	show_progress();
	curl:close();
	return in_place;
end

function module.command(arg)
	local host = arg[1];
	local base_url = host and config.get(host, "http_file_share_base_url");
	local secret = host and config.get(host, "http_file_share_secret");
	if not (base_url and secret) then
		print("usage: prosodyctl mod_file_share_move HOST");
		print("HOST is a component of Prosody that has http_file_share_base_url and http_file_share_secret set.");
		return 1;
	end
	local transfers, total = find_transfers(host, base_url, secret);
	if total == 0 then
		print(host.." has no uploads to move.");
		return 0;
	end
	local in_place = #transfers > 0 and move(transfers) or 0;
	if in_place == total then return 0; end
	print(("%d of %d files were not moved. For a status other than 201 and 409, the log of prosody-filer has the reason.")
		:format(total - in_place, total));
	return 1;
end
